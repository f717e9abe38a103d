//! The period of an invoice list: without one, invoices older than 12 months are hidden (contract section 3.5, trap 1).

use jiff::ToSpan as _;
use jiff::civil::Date;

use crate::crm::Query;

/// First and last day, as `YYYY-MM-DD`; none is open.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Period {
    from: Option<String>,
    to: Option<String>,
}

impl Period {
    /// What the query asks for on this day; `all` is what no period means if not 12 months.
    pub(super) fn of(query: &Query, today: Date, all_by_default: bool) -> Self {
        let months = |count: i64| today.checked_sub(count.months()).unwrap_or(today);
        let (this_month, last_month) = (today.first_of_month(), months(1));
        let (this_year, last_year) = (today.first_of_year(), today.checked_sub(1.year()).unwrap_or(today));
        match query.get("period") {
            Some("all") => Self::default(),
            Some("this_month") => Self::between(this_month, today.last_of_month()),
            Some("last_30_days") => Self::since(today.checked_sub(30.days()).unwrap_or(today)),
            Some("last_month") => Self::between(last_month.first_of_month(), last_month.last_of_month()),
            Some("this_year") => Self::between(this_year, today.last_of_year()),
            Some("last_year") => Self::between(last_year.first_of_year(), last_year.last_of_year()),
            Some("more") => Self {
                from: query.get("date_from").map(ToOwned::to_owned),
                to: query.get("date_to").map(ToOwned::to_owned),
            },
            None if all_by_default => Self::default(),
            _ => Self::since(months(12)),
        }
    }

    fn between(from: Date, to: Date) -> Self {
        Self { from: Some(from.to_string()), to: Some(to.to_string()) }
    }

    fn since(from: Date) -> Self {
        Self { from: Some(from.to_string()), to: None }
    }

    pub(super) fn is_open(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a day lies in it; a record without the day lies in the open period only.
    pub(super) fn holds(&self, day: &str) -> bool {
        let after = self.from.as_ref().is_none_or(|from| day >= from.as_str());
        let before = self.to.as_ref().is_none_or(|to| day <= to.as_str());
        self.is_open() || (!day.is_empty() && after && before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str) -> Period {
        Period::of(&Query::read(query), jiff::civil::date(2026, 3, 31), false)
    }

    #[test]
    fn twelve_months_is_what_nothing_means() {
        assert!(of("").holds("2025-03-31") && !of("").holds("2025-03-30"));
        assert_eq!(of(""), of("period=last_12_months"));
        assert!(of("period=all").holds("1999-01-01") && of("period=all").holds(""));
        assert!(!of("").holds(""));
    }

    #[test]
    fn named_periods_have_both_ends() {
        for (name, first, last) in [
            ("this_month", "2026-03-01", "2026-03-31"),
            ("last_month", "2026-02-01", "2026-02-28"),
            ("this_year", "2026-01-01", "2026-12-31"),
            ("last_year", "2025-01-01", "2025-12-31"),
            ("more&date_from=2020-05-02&date_to=2020-05-03", "2020-05-02", "2020-05-03"),
        ] {
            let period = of(&format!("period={name}"));
            assert!(period.holds(first) && period.holds(last), "{name}");
            let before = format!("{}0", first.strip_suffix(['1', '2']).unwrap());
            assert!(!period.holds(&before) && !period.holds(&format!("{last}x")), "{name}");
        }
        assert!(
            of("period=last_30_days").holds("2026-03-01") && !of("period=last_30_days").holds("2026-02-28")
        );
    }
}
