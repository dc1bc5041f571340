package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/local/permission"
	"github.com/packstone/packstone/pipeline/restore"
)

// tell prints what is done with an entry, always for a plan.
func (r *restoring) tell(e *entry.Entry, action restore.Action) {
	if action != restore.ActionDelete {
		r.others.Note(e)
	}
	if r.o.plan {
		r.listed.Note(r.out, string(action), output.Name(e.Path), r.flags.verbose > 0)
		return
	}
	r.out.Detail(output.VerboseStatus{Action: string(action), Item: output.Name(e.Path), DataSize: e.Size})
}

// tellLeftOut says what does not come back with a whole snapshot, since it was never backed up.
func (r *restoring) tellLeftOut() {
	if len(r.sources) < len(r.snapshot.Sources) {
		return
	}
	for _, row := range message.LeftOutOf(r.snapshot.NotBackedUp) {
		if r.o.plan {
			r.out.Line("%s", row.Text())
			continue
		}
		r.out.Note("%s", row.Text())
	}
}

// summarize prints what was done.
func (r *restoring) summarize(took time.Duration) {
	r.listed.End(r.out)
	if r.o.where.Server == nil {
		r.tellLent()
		r.tellOthers()
	}
	m := message.RestoreOf(r.snapshot, r.total, r.gate.Plan, took)
	m.DryRun, m.Requests = r.dry(), r.requests()
	if len(r.o.where.Command) > 0 && !r.out.JSON() {
		r.out.Note("%s", m.Text()) // the standard output is the command's
		return
	}
	r.out.Summary(m, m.Text())
	r.tellRequests(m.Requests)
}

// tellLent says what lends rights and came back since this process may bring it back, or did not
// since --no-special was given.
func (r *restoring) tellLent() {
	switch {
	case r.lent.None():
	case r.o.how.NoSpecial:
		r.out.Note("left out for --no-special: %s", &r.lent)
	case os.Geteuid() == 0:
		verb := "came back"
		if r.dry() {
			verb = "would come back"
		}
		r.Warn(fmt.Sprintf("files that give rights to whoever runs or opens them %s (%s): if you do not trust the host of the snapshot, restore "+
			"with --no-special", verb, &r.lent))
	}
}

// tellOthers says whose files come to belong to others, since this machine does not know their owner.
func (r *restoring) tellOthers() {
	if r.others.None() || r.o.where.NumericIDs || r.o.where.Owner != "" || os.Geteuid() != 0 {
		return
	}
	r.Warn(fmt.Sprintf("owners that this machine does not know: %s; make them and restore again, or choose others with --owner", &r.others))
}

// tellAccess lists what a user could not use of what came back, and counts it.
func (r *restoring) tellAccess(ctx context.Context) error {
	if r.o.checkAccess == "" || r.dry() {
		return nil
	}
	user, err := permission.Lookup(r.o.checkAccess)
	if err != nil {
		return err
	}
	roots, err := r.to.Roots(r.sources, r.way)
	if err != nil {
		return err
	}
	report, err := permission.Check(ctx, roots, user, permission.Options{})
	if err != nil {
		return err
	}
	m := message.AccessOf(user, report)
	r.denied = uint64(m.Denied)
	r.out.Message("access", m, m.Text())
	return nil
}
