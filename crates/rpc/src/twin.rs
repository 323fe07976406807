//! Closed lists that the domain and the contract both have, under the same names.

use crate::{Error, Fault, Fields, Reason, Result};

/// A list of the domain and its twin in the contract. The contract's "unspecified", and a value that this version does
/// not know, have no twin.
pub trait Twin: Sized + 'static {
    type Contract: TryFrom<i32> + Into<i32>;

    fn of(contract: Self::Contract) -> Option<Self>;
    fn contract(self) -> Self::Contract;
    /// The names the contract accepts.
    fn names() -> Vec<&'static str>;

    /// From the number a message holds.
    fn from_wire(value: i32) -> Option<Self> {
        Self::Contract::try_from(value).ok().and_then(Self::of)
    }

    /// From the number an event holds, which this service wrote itself.
    fn told(value: i32) -> Result<Self> {
        let unknown = || Error::internal(format!("an event holds {value} of a list"));
        Self::from_wire(value).ok_or_else(unknown)
    }

    /// As the number a message holds.
    fn to_wire(self) -> i32 {
        self.contract().into()
    }
}

impl Fields {
    /// A value of a closed list that must be given; the fault says which there are.
    pub fn listed<T: Twin>(&mut self, pointer: &str, value: i32) -> Option<T> {
        let parsed = T::from_wire(value);
        if parsed.is_none() {
            let fault = if value == 0 {
                Fault::new(Reason::FieldRequired, "must be given")
            } else {
                Fault::invalid("is not one of the names of this list")
            };
            self.refuse(pointer, fault.accepting(T::names()));
        }
        parsed
    }
}

/// Pairs each variant of a domain list with the contract's of the same name: `Phase = v1::Phase { Stabilise, … }`.
#[macro_export]
macro_rules! twins {
    ($($domain:ty = $contract:ty { $($variant:ident),+ $(,)? })+) => {
        $(
            impl $crate::Twin for $domain {
                type Contract = $contract;

                fn of(contract: $contract) -> Option<Self> {
                    match contract {
                        $(<$contract>::$variant => Some(Self::$variant),)+
                        _ => None,
                    }
                }

                fn contract(self) -> $contract {
                    match self {
                        $(Self::$variant => <$contract>::$variant,)+
                    }
                }

                fn names() -> Vec<&'static str> {
                    vec![$(<$contract>::$variant.as_str_name(),)+]
                }
            }
        )+
    };
}
