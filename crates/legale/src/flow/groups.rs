//! Groups of signers, one after another, as people think of them; the service has one order per flow and no mixture of both.

use integration_core::{Error, Fault};

use super::builder::FlowBuilder;
use super::signer::Signer;
use super::{Flow, Order};

/// Groups that sign one after another, the members of each at once.
///
/// The service knows only "one by one" and "all at once" for a whole flow (contract 4.1). Groups of one are the former, a single
/// group is the latter, and anything else is refused with a [proposal](MixedGroups::proposal) of several flows.
///
/// ```
/// use legale::flow::{Groups, MixedGroups, Order, SignMethod, Signer};
///
/// let outsider = |email: &str| Signer::outsider(SignMethod::NoSms, email);
/// let error = Groups::new()
///     .group([Signer::approver("legal@example.com")])
///     .group([outsider("ana@example.com"), outsider("luis@example.com")])
///     .build()
///     .unwrap_err();
/// let mixed: &MixedGroups = error.find_source().expect("the reason");
/// let orders: Vec<_> = mixed.proposal().iter().map(|flow| flow.clone().build().map(|flow| flow.order().clone())).collect();
/// assert_eq!(orders.into_iter().collect::<Result<Vec<_>, _>>()?, [Order::Sequential, Order::Parallel]);
/// # Ok::<(), legale::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct Groups(Vec<Vec<Signer>>);

impl Groups {
    /// No group.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a group that comes after those added before; an empty one is ignored.
    pub fn group(mut self, signers: impl IntoIterator<Item = Signer>) -> Self {
        let signers: Vec<_> = signers.into_iter().collect();
        if !signers.is_empty() {
            self.0.push(signers);
        }
        self
    }

    /// The builder of the one flow that these groups are, to which expiry and copies can be added.
    ///
    /// # Errors
    /// A validation error with the rule `GROUPS` and the cause [`MixedGroups`] if one flow cannot express them.
    pub fn into_builder(self) -> Result<FlowBuilder, Error> {
        let is_sequence = self.0.iter().all(|group| group.len() == 1);
        let order = if is_sequence { Order::Sequential } else { Order::Parallel };
        if self.0.len() > 1 && !is_sequence {
            return Err(mixed(self.0));
        }
        Ok(Flow::builder(order).signers(self.0.into_iter().flatten()))
    }

    /// The one flow that these groups are.
    ///
    /// # Errors
    /// As [`into_builder`](Self::into_builder) and [`FlowBuilder::build`].
    pub fn build(self) -> Result<Flow, Error> {
        self.into_builder()?.build()
    }
}

/// Why groups are no single flow, and which flows would do.
#[derive(Debug, Clone, thiserror::Error)]
#[error("one flow is either one by one or all at once; {} flows in a row would do", proposal.len())]
pub struct MixedGroups {
    proposal: Vec<FlowBuilder>,
}

impl MixedGroups {
    /// Flows that together do what was asked: each is started when the one before has ended in `Signed`, on the file that came
    /// out of it. Neighbouring groups of one share a sequential flow.
    pub fn proposal(&self) -> &[FlowBuilder] {
        &self.proposal
    }
}

fn mixed(groups: Vec<Vec<Signer>>) -> Error {
    let sizes: Vec<_> = groups.iter().map(|group| group.len().to_string()).collect();
    let fault = Fault::error("GROUPS", "signer_list")
        .with_expected("groups of one, or one group")
        .with_actual(format!("groups of {}", sizes.join(", ")))
        .with_hint(
            "the service has no groups within a flow: start one flow after another, as the cause proposes",
        );
    let cause = MixedGroups { proposal: propose(groups) };
    Error::validation("build a flow", vec![fault]).with_message(cause.to_string()).with_source(cause)
}

fn propose(groups: Vec<Vec<Signer>>) -> Vec<FlowBuilder> {
    let mut flows: Vec<FlowBuilder> = Vec::new();
    for group in groups {
        let order = if group.len() == 1 { Order::Sequential } else { Order::Parallel };
        match flows.last_mut() {
            Some(last) if order == Order::Sequential && last.order == Order::Sequential => {
                last.signers.extend(group);
            }
            _ => flows.push(Flow::builder(order).signers(group)),
        }
    }
    flows
}
