//! Date-times as the service writes and reads them: naive, in one zone, by a pattern (contract section 2.5).
//!
//! The zone is an offset that a test sets; the default is that of `America/Sao_Paulo` since 17 February 2019. The
//! sandbox knows no summer time.

use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use super::settings::Settings;

/// A pattern such as `yyyy-MM-dd HH:mm:ss`, as `strftime` has it.
fn strftime(pattern: &str) -> String {
    let mut text = pattern.replace('%', "%%").replace('\'', "");
    for (from, to) in [("yyyy", "%Y"), ("MM", "%m"), ("dd", "%d"), ("HH", "%H"), ("mm", "%M"), ("ss", "%S")] {
        text = text.replace(from, to);
    }
    text
}

/// Reads and writes date-times.
#[derive(Debug, Clone)]
pub(super) struct Times {
    format: String,
    /// The default pattern is written by hand, because pages are full of it.
    plain: bool,
    offset: i64,
}

impl Times {
    pub(super) fn new(settings: &Settings) -> Self {
        let format = strftime(&settings.change_literal_format);
        let plain = format == "%Y-%m-%d %H:%M:%S";
        Self { format, plain, offset: i64::from(settings.change_zone_minutes) * 60 }
    }

    fn local(&self, seconds: u32) -> DateTime {
        let shifted = i64::from(seconds) + self.offset;
        Offset::UTC.to_datetime(Timestamp::from_second(shifted).unwrap_or(Timestamp::UNIX_EPOCH))
    }

    pub(super) fn text(&self, seconds: u32) -> String {
        let local = self.local(seconds);
        if !self.plain {
            return local.strftime(&self.format).to_string();
        }
        let (date, time) = (local.date(), local.time());
        format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
            date.year(),
            date.month(),
            date.day(),
            time.hour(),
            time.minute(),
            time.second()
        )
    }

    /// Seconds since the epoch; none if the text does not follow the pattern.
    pub(super) fn read(&self, text: &str) -> Option<i64> {
        let local = DateTime::strptime(&self.format, text).ok()?;
        let zone = SignedDuration::from_secs(self.offset);
        let utc = Offset::UTC.to_timestamp(local).ok()?.checked_sub(zone).ok()?;
        Some(utc.as_second())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(format: &str) -> Times {
        Times::new(&Settings { change_literal_format: format.into(), ..Settings::default() })
    }

    /// The contract's example: 20/11/2023 01:00 local is 04:00Z.
    #[test]
    fn local_texts_are_three_hours_behind() {
        let four = 1_700_452_800; // 2023-11-20T04:00:00Z
        for (format, text) in [
            ("yyyy-MM-dd HH:mm:ss", "2023-11-20 01:00:00"),
            ("dd/MM/yyyy HH:mm:ss", "20/11/2023 01:00:00"),
            ("yyyy-MM-dd'T'HH:mm:ss", "2023-11-20T01:00:00"),
        ] {
            assert_eq!(times(format).text(four), text);
            assert_eq!(times(format).read(text), Some(i64::from(four)));
        }
        for odd in ["2023-11-20", "2023-11-20 01:00:00Z", "2023-13-20 01:00:00", "", "agora"] {
            assert_eq!(times("yyyy-MM-dd HH:mm:ss").read(odd), None, "{odd}");
        }
    }
}
