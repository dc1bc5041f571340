package output

import (
	"fmt"
	"time"

	"github.com/packstone/packstone/catalog/entry"
)

// Bytes formats a size in the unit that fits: 512 B, 1.5 KiB, 3.21 GiB.
func Bytes(n int64) string {
	if n < 0 {
		return "-" + bytesOf(uint64(-n))
	}
	return bytesOf(uint64(n))
}

func bytesOf(n uint64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n), ""
	for _, unit = range []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"} {
		value /= 1 << 10
		if value < 1023.5 {
			break
		}
	}
	return fmt.Sprintf("%s %s", threeDigits(value), unit)
}

func threeDigits(value float64) string {
	switch {
	case value < 9.995:
		return fmt.Sprintf("%.2f", value)
	case value < 99.95:
		return fmt.Sprintf("%.1f", value)
	}
	return fmt.Sprintf("%.0f", value)
}

// Count formats a number with commas between thousands: 12,345,678.
func Count(n int64) string { return entry.Count(n) }

// Plural formats a number with a noun: 1 file, 12,345 entries.
func Plural[N ~int | ~int64 | ~uint64](n N, noun string) string { return entry.Plural(n, noun) }

// Duration formats a duration like a clock: 0:07, 12:30, 1:02:03.
func Duration(d time.Duration) string {
	seconds := int64(max(d, 0).Round(time.Second) / time.Second)
	if seconds < 3600 {
		return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
}

// Time formats a moment in local time, to the second.
func Time(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

// ZonedTime formats a moment in local time, with the zone.
func ZonedTime(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 -0700") }

// Elapsed formats a duration with at most two units.
func Elapsed(d time.Duration) string {
	switch {
	case d < 0:
		return "in the future"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d d %d h", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

// YesNo returns yes or no.
func YesNo(holds bool) string {
	if holds {
		return "yes"
	}
	return "no"
}

// OrDash returns a text, or a dash if it is empty.
func OrDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// Mark returns a remark in parentheses if holds is true.
func Mark(holds bool, remark string) string {
	if !holds {
		return ""
	}
	return " (" + remark + ")"
}

// Seconds is a number of seconds as a duration, to the millisecond.
func Seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond)
}
