package status

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/pipeline/browse"
)

// Fresh returns when the writers of the machine's repository were last heard of: from their
// records, or where those cannot be read or checked, from names and dates alone. It needs no key.
func Fresh(ctx context.Context, m *machine.Machine) (*message.Watch, error) {
	storage, err := m.OpenStorage(ctx, false)
	if err != nil {
		return nil, err
	}
	w := &message.Watch{Repository: storage.Location(), Writers: []message.WatchWriter{}, Unknown: []string{}}
	repo, _, err := m.OpenRepository(ctx, machine.EvenBroken)
	var all []browse.Freshness
	if err == nil {
		all, err = browse.FreshnessOf(ctx, repo)
	}
	if err != nil {
		if !leavesNames(err) {
			return nil, err
		}
		w.Unknown = append(w.Unknown, fmt.Sprintf("whether what was written last is a complete snapshot, and who has written it: names and dates alone were seen, since %v", firstLine(err)))
		heard, err := catalog.LastHeard(ctx, storage)
		if err != nil {
			return nil, err
		}
		all = browse.Sorted(heard)
	}
	for _, f := range all {
		w.Writers = append(w.Writers, message.WatchWriter{Name: f.Writer, Newest: f.Newest})
	}
	return w, nil
}

// leavesNames tells whether a failure to open a repository leaves its names to go by: its objects
// may not be read, or nobody here knows whose it is.
func leavesNames(err error) bool {
	return errors.Is(err, store.ErrDenied) || errors.Is(err, catalog.ErrUnknownOwner) || errors.Is(err, catalog.ErrNoIdentity)
}

// firstLine is an error up to where it explains a cure.
func firstLine(err error) string {
	if errors.Is(err, catalog.ErrUnknownOwner) {
		return "nothing here says who the repository's owner is (keys.owner in the settings does)"
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}
