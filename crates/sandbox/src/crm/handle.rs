//! The part of the two handles that is the same, written once.

/// A handle over a [`Desk`](super::desk::Desk), with the methods that every simulated service has.
macro_rules! handle {
    ($(#[$about:meta])* $name:ident, $office:ty) => {
        $(#[$about])*
        #[derive(Debug, Clone)]
        pub struct $name(pub(crate) std::sync::Arc<crate::crm::desk::Desk<$office>>);

        impl crate::kept::Kept for $name {
            fn export(&self) -> Result<serde_json::Value, String> {
                self.0.export()
            }

            fn import(&self, state: serde_json::Value) -> Result<crate::kept::Placing<'_>, String> {
                self.0.import(state)
            }
        }

        impl crate::fault::Troubled for $name {
            fn plans(&self, show: &mut dyn FnMut(&'static str, &mut dyn crate::fault::Listed)) {
                self.0.plans(show);
            }

            fn is_open(&self) -> bool {
                self.0.is_open()
            }
        }

        impl $name {
            /// Root of all URLs, such as `http://127.0.0.1:7803`, without a slash at its end.
            #[must_use]
            pub fn base_url(&self) -> &str {
                &self.0.base_url
            }

            /// The token that is good from the start, in the form `SECRET/PREFIX`.
            #[must_use]
            pub fn token(&self) -> &str {
                &self.0.token
            }

            /// The account's name, which is the token's prefix.
            #[must_use]
            pub fn account(&self) -> &'static str {
                crate::crm::desk::ACCOUNT
            }

            /// Makes another text a good token, with or without a prefix.
            pub fn add_token(&self, token: &str) {
                self.0.state().tokens.push(token.to_owned());
            }

            /// Ends a token for good: 401 from now on.
            pub fn revoke_token(&self, token: &str) {
                self.0.state().tokens.retain(|good| good != token);
            }

            /// Adds a record, as a person in the web page would. Answers its id.
            ///
            /// # Errors
            ///
            /// The rule that refuses it and what is wrong, as text.
            pub fn add(&self, table: Table, fields: &serde_json::Value) -> Result<u64, String> {
                let fields = fields.as_object().cloned().unwrap_or_default();
                self.0.by_hand(|office, now| {
                    use crate::crm::desk::System as _;
                    office.add(table, &fields, now).map_err(|refusal| refusal.text())
                })
            }

            /// Changes fields of a record, as a person in the web page would: its `updated_at` moves, whether or
            /// not a value differs.
            ///
            /// # Errors
            ///
            /// As [`add`](Self::add).
            pub fn edit(&self, table: Table, id: u64, fields: &serde_json::Value) -> Result<(), String> {
                let fields = fields.as_object().cloned().unwrap_or_default();
                self.0.by_hand(|office, now| {
                    use crate::crm::desk::System as _;
                    office.edit(table, id, &fields, now).map_err(|refusal| refusal.text())
                })
            }

            /// Deletes a record, as a person in the web page would.
            ///
            /// # Errors
            ///
            /// As [`add`](Self::add).
            pub fn remove(&self, table: Table, id: u64) -> Result<(), String> {
                self.0.by_hand(|office, now| {
                    use crate::crm::desk::System as _;
                    office.remove(table, id, now).map_err(|refusal| refusal.text())
                })
            }

            /// One record, with the fields that have a value.
            #[must_use]
            pub fn record(&self, table: Table, id: u64) -> Option<serde_json::Value> {
                self.0.record(table, id)
            }

            /// Every record of a table by rising id, with the fields that have a value.
            #[must_use]
            pub fn records(&self, table: Table) -> Vec<serde_json::Value> {
                self.0.records(table)
            }

            /// How many records of a table were ever created, deleted ones included: what a test counts to find
            /// that nothing was doubled.
            #[must_use]
            pub fn created(&self, table: Table) -> usize {
                use crate::crm::desk::System as _;
                self.0.state().system.rows(table).created()
            }

            /// Every request that was read, in order.
            #[must_use]
            pub fn requests(&self) -> Vec<crate::crm::Request> {
                self.0.state().requests.clone()
            }

            /// How many connections were accepted, those reset at once included.
            #[must_use]
            pub fn connections(&self) -> usize {
                self.0.state().connections
            }

            /// The largest number of requests that were in the house at the same time.
            #[must_use]
            pub fn peak_in_flight(&self) -> usize {
                self.0.state().peak
            }

            /// Waits until this many requests have been read, and acted upon where they are, since the last reset.
            pub async fn wait_for_requests(&self, count: usize) {
                self.0.wait_for_requests(count).await;
            }

            /// Puts this service's clock forward; the other service has its own.
            pub fn advance_clock(&self, by: std::time::Duration) {
                self.0.advance_clock(by);
            }

            /// Stops the clock, so that only [`advance_clock`](Self::advance_clock) moves it. A record that is
            /// changed nevertheless gets a time of change that is later by a millisecond.
            pub fn stop_clock(&self) {
                self.0.state().timeline.stop();
            }

            /// Lets the clock run again.
            pub fn run_clock(&self) {
                self.0.state().timeline.run();
            }

            /// Lets go whatever a fault holds back.
            pub fn release_held(&self) {
                self.0.release_held();
            }

            /// Plays a fault once.
            pub fn inject(&self, endpoint: Endpoint, fault: crate::Fault) {
                self.inject_times(endpoint, fault, 1);
            }

            /// Plays a fault for the next `times` requests.
            pub fn inject_times(&self, endpoint: Endpoint, fault: crate::Fault, times: u32) {
                self.0.plan(endpoint, fault, crate::fault::When::Times(times));
            }

            /// Plays a fault until [`clear_faults`](Self::clear_faults).
            pub fn inject_always(&self, endpoint: Endpoint, fault: crate::Fault) {
                self.0.plan(endpoint, fault, crate::fault::When::Always);
            }

            /// Plays a fault with this probability (0 to 1); the same seed gives the same run of hits.
            pub fn inject_random(&self, endpoint: Endpoint, fault: crate::Fault, probability: f64, seed: u64) {
                self.0.plan(endpoint, fault, crate::fault::When::Random { probability, seed });
            }

            /// Forgets every injected fault and releases what is held. A port that refuses connections stays so.
            pub fn clear_faults(&self) {
                self.0.clear_faults();
            }

            /// Has new connections refused and ends idle ones. Returns once it is so.
            ///
            /// # Errors
            ///
            /// [`Error::Stopped`](crate::Error::Stopped) if the sandbox is gone,
            /// [`Error::Socket`](crate::Error::Socket) if the system does not give the port back.
            pub async fn refuse_connections(&self) -> Result<(), crate::Error> {
                self.0.set_open(false).await
            }

            /// Lets connections in again, on the same port. Returns once it is so.
            ///
            /// # Errors
            ///
            /// As [`refuse_connections`](Self::refuse_connections).
            pub async fn accept_connections(&self) -> Result<(), crate::Error> {
                self.0.set_open(true).await
            }

            /// The settings in force.
            #[must_use]
            pub fn settings(&self) -> Settings {
                use crate::crm::desk::System as _;
                self.0.state().system.settings().clone()
            }

            /// Changes settings.
            pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
                use crate::crm::desk::System as _;
                change(self.0.state().system.settings());
            }

            /// Back to the beginning: no records, requests or faults, default settings, the first token, the
            /// present time. A port that refuses connections stays so.
            pub fn reset(&self) {
                self.0.reset();
            }
        }
    };
}

pub(crate) use handle;
