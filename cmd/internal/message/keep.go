package message

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/exitcode"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/keep"
)

// Keep is what keep prints as JSON at its end.
type Keep struct {
	Until       time.Time      `json:"locked_until,omitzero" doc:"Until when all that a restore needs is locked at least, but for what was withheld."`
	Mode        store.LockMode `json:"mode,omitempty" doc:"GOVERNANCE or COMPLIANCE."`
	Needed      int            `json:"objects_needed" doc:"How many objects a restore needs."`
	NeededBytes int64          `json:"bytes_needed" doc:"Their bytes."`
	Extended    int            `json:"objects_extended" doc:"How many locks were extended, or would be."`
	Kept        int            `json:"objects_kept" doc:"How many locks last long enough."`
	Withheld    int            `json:"objects_withheld,omitempty" doc:"New packs that were not extended, since there are too many."`
	HeldBytes   int64          `json:"bytes_withheld,omitempty" doc:"Their bytes."`
	Extra       int            `json:"versions_not_needed" doc:"Versions that no restore needs."`
	ExtraBytes  int64          `json:"bytes_not_needed" doc:"Their bytes."`
	Overwritten int            `json:"objects_overwritten,omitempty" doc:"Objects that were written over, or deleted; their first version is locked."`
	Missing     int            `json:"packs_missing,omitempty" doc:"Packs in need that are not there."`
	Requests    int            `json:"requests" doc:"Requests about locks: listings, questions and extensions."`
	Lists       int            `json:"requests_list" doc:"Listings of versions, of a thousand each."`
	Asked       int            `json:"requests_ask" doc:"Questions for a lock."`
	DryRun      bool           `json:"dry_run,omitempty" doc:"Whether nothing was changed."`
}

// KeepOf says what a run has done, or with dry would do.
func KeepOf(r *keep.Report, dry bool) Keep {
	return Keep{
		Until: r.Until, Mode: r.Mode, Needed: r.Needed.Objects, NeededBytes: r.Needed.Bytes, Extended: r.Extended.Objects, Kept: r.Kept.Objects, Withheld: r.Withheld.Objects,
		HeldBytes: r.Withheld.Bytes, Extra: r.Extra.Objects, ExtraBytes: r.Extra.Bytes, Overwritten: r.Overwritten, Missing: r.Missing,
		Requests: r.Requests(), Lists: r.Lists, Asked: r.Asked, DryRun: dry,
	}
}

// KeepOutcome is how a run ended that has ended with err, with what to do about it.
func KeepOutcome(r *keep.Report, err error) error {
	switch {
	case errors.Is(err, keep.ErrUnlocked):
		return catalog.Refuse("%w: make the bucket with Object Lock, and give it a default retention; see docs/immutability.md", err)
	case errors.Is(err, store.ErrDenied):
		return fmt.Errorf("%w: the credentials must be those that packstone doctor --print-policy keeper prints", err)
	case err != nil && r.Extended.Objects > 0:
		return fmt.Errorf("%w; extended %s until then, and the next run continues", err, output.Plural(r.Extended.Objects, "lock"))
	}
	return err
}

// KeepProblems are what is wrong after a run, and the exit code for it.
func KeepProblems(r *keep.Report) (code int, problems []error) {
	tell := func(is int, format string, args ...any) {
		code, problems = max(code, is), append(problems, fmt.Errorf(format, args...))
	}
	if r.Withheld.Objects > 0 {
		tell(exitcode.Missing, "%s, %s, are new since %s, which is more than usual: their locks were not extended. Look at packstone snapshots, and run packstone keep --accept-growth if that is right",
			output.Plural(r.Withheld.Objects, "pack"), output.Bytes(r.Withheld.Bytes), output.Time(r.Since))
	}
	if r.OnlyKnown {
		tell(exitcode.Integrity, "cannot tell what a restore needs, so the locks of what the last run had known were extended, and no others: %w", r.Doubt)
	} else if r.Doubt != nil {
		tell(exitcode.Missing, "cannot tell which packs are needed, so the locks of all were extended: %w", r.Doubt)
	}
	for _, text := range r.Problems {
		tell(exitcode.Integrity, "%s", text)
	}
	if r.Overwritten > 0 {
		tell(exitcode.Integrity, "%s that a restore needs were written over or deleted: %s. Their first versions are there and locked", output.Plural(r.Overwritten, "object"),
			strings.Join(r.OverwrittenFirst, ", "))
	}
	if r.Missing > 0 {
		tell(exitcode.Integrity, "%s that a restore needs are not there; packstone check names them", output.Plural(r.Missing, "pack"))
	}
	return code, problems
}

// Text is the message for people.
func (m Keep) Text() string {
	requests := fmt.Sprintf("%s: %s, %s, %s", output.Plural(m.Requests, "request"), output.Plural(m.Lists, "listing"), output.Plural(m.Asked, "question"), output.Plural(m.Extended, "extension"))
	extra := fmt.Sprintf("%s of %s are stored that no restore needs", output.Bytes(m.ExtraBytes), output.Plural(m.Extra, "version"))
	if m.DryRun {
		return fmt.Sprintf("would extend up to %s of the %s that a restore needs, %s, with %s\n%s", output.Plural(m.Extended, "lock"),
			output.Plural(m.Needed, "object"), output.Bytes(m.NeededBytes), requests, extra)
	}
	return fmt.Sprintf("extended %s; %s that a restore needs, %s, are locked (%s) until %s at least\n%s\n%s", output.Plural(m.Extended, "lock"),
		output.Plural(m.Extended+m.Kept, "object"), output.Bytes(m.NeededBytes-m.HeldBytes), strings.ToLower(string(m.Mode)), output.Time(m.Until), requests, extra)
}
