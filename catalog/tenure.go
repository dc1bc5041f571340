package catalog

import (
	"maps"
	"slices"
	"time"
)

// Tenure is when the owner has admitted and revoked a member, by the owner's clock.
type Tenure struct {
	Admitted, Revoked time.Time

	since uint64 // the config that has admitted it
}

// TenureOf returns the tenure of the member with a key. A time is zero if it is not known, or if
// the member was not revoked.
func (c *Config) TenureOf(key string) Tenure {
	tenure := c.chain.tenures[key]
	if c.Broken() != nil {
		tenure.Admitted = time.Time{} // an earlier config may have admitted it
	}
	return tenure
}

// tenures are those of members by their keys.
type tenures map[string]Tenure

// before adds what an older config says.
func (t tenures) before(c *Config) {
	for _, m := range slices.Concat(c.Writers, c.Collectors, c.Keepers) {
		tenure := t[m.Key]
		tenure.Admitted, tenure.since = c.Time, c.Number
		if m.Revoked != nil {
			tenure.Revoked = c.Time
		}
		t[m.Key] = tenure
	}
}

// with returns the tenures with what the next config says.
func (t tenures) with(c *Config) tenures {
	next := tenures{}
	maps.Copy(next, t)
	for _, m := range slices.Concat(c.Writers, c.Collectors, c.Keepers) {
		tenure, known := next[m.Key]
		if !known {
			tenure.Admitted, tenure.since = c.Time, c.Number
		}
		if m.Revoked != nil && tenure.Revoked.IsZero() {
			tenure.Revoked = c.Time
		}
		next[m.Key] = tenure
	}
	return next
}

// LastSeen returns the date of the newest record of each writer, as far as the log still has it.
func (l *Log) LastSeen() map[string]time.Time {
	seen := map[string]time.Time{}
	for _, rec := range l.Records {
		if name := rec.Lane.Writer; !rec.ofOwner && rec.Date.After(seen[name]) {
			seen[name] = rec.Date
		}
	}
	return seen
}
