//! How much of its memory the store has left. A flood of invented visitors must not take what orders need: at the limit the
//! store refuses every commit, an order's too (INV-12). Absent: what is given up; the batch knows.

use super::{Service, lasts};
use crate::error::Error;
use crate::headroom::Headroom;

impl Service {
    /// Asks once a second.
    pub(super) async fn weigh(&mut self) -> Result<(), Error> {
        let here = self.shared.clock.now_millis();
        if self.owned.is_empty() || lasts(self.weighed, here, 1_000) {
            return Ok(());
        }
        let share = self.shared.store.fullness().await?;
        self.weighed = here;
        let none: [&str; 0] = [];
        let gauge = &self.shared.metrics.stops.store_memory;
        gauge.with_label_values(&none).set(share);
        let now = Headroom::at(share, self.shared.config.nearly_full);
        if self.shared.headroom.replace(now) != now {
            let percent = (share * 100.0).round();
            match now {
                Headroom::Enough => tracing::info!(percent, "the store's memory has room again"),
                Headroom::Short => tracing::error!(
                    percent,
                    "the store's memory is nearly full: nobody new of whom no address is known is remembered"
                ),
                Headroom::Last => tracing::error!(
                    percent,
                    "the store's memory is all but full: nobody new is remembered who neither orders nor says a word on consent"
                ),
            }
        }
        Ok(())
    }
}
