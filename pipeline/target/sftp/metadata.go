package sftp

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/sftp"
	"github.com/packstone/packstone/pipeline/target"
)

// changes returns the changes that set owner, permissions and time of an entry, as far as the
// protocol supports them, and the name of each.
func (o *Options) changes(e *entry.Entry) (all []sftp.Change, what []string) {
	var owner, mode, moment sftp.Change
	if uid, gid, set := o.owner(e); set {
		owner.SetOwner(uid, gid)
		all, what = append(all, owner), append(what, fmt.Sprintf("owner of %s to %d:%d", e.Path, uid, gid))
	}
	full := o.Chmod.Of(e)
	mode.SetMode(full &^ target.SetIDs)
	all, what = append(all, mode), append(what, "permissions of "+e.Path)
	if e.HasModTime() && representable(e) {
		moment.SetTime(e.ModTime.Time())
		all, what = append(all, moment), append(what, timeOf(e))
	}
	if full&target.SetIDs != 0 { // they would lend the rights of the wrong owner
		var special sftp.Change
		special.SetMode(full)
		special.OnlyOf(o.Owner.Apply(e.UID, e.GID))
		all, what = append(all, special), append(what, "set-uid and set-gid bits of "+e.Path)
	}
	return all, what
}

func timeOf(e *entry.Entry) string {
	return fmt.Sprintf("time of %s to %s", e.Path, e.ModTime.Time().Format(time.RFC3339))
}

var errNoTime = errors.New("SFTP has no such time")

// warn reports refused changes, and times that the protocol does not have.
func (o *Options) warn(e *entry.Entry, what []string, refused []error) {
	var left error
	for i, err := range refused {
		if err != nil {
			left = errors.Join(left, fmt.Errorf("set %s: %w", what[i], err))
		}
	}
	if left != nil {
		o.Warn(e.Path, left)
	}
	if e.HasModTime() && !representable(e) {
		o.Warn(e.Path, fmt.Errorf("set %s: %w", timeOf(e), errNoTime))
	}
}

// owner returns the owner of e, and whether it must be set.
func (o *Options) owner(e *entry.Entry) (uid, gid uint32, set bool) {
	uid, gid = o.Owner.Apply(e.UID, e.GID)
	return uid, gid, o.Owner.Named() || !o.NoOwner && (uid != 0 || gid != 0)
}

// representable reports whether the protocol can represent the entry's time.
func representable(e *entry.Entry) bool {
	s := e.ModTime.Seconds
	return s >= 0 && s <= math.MaxUint32
}
