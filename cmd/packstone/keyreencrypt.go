package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/catalog/retention"
	"github.com/packstone/packstone/catalog/view"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/meter"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/pipeline/copy"
)

// reencryptMessage is what key rotate --reencrypt prints as JSON.
type reencryptMessage struct {
	Domain    uint64           `json:"domain" doc:"The domain that is written with."`
	Snapshots []reencryptedRow `json:"snapshots" doc:"Snapshots of earlier domains that were stored anew, or would be."`
	Forgotten int              `json:"forgotten" doc:"How many were forgotten, since others have taken their place."`
	Left      []string         `json:"left" doc:"Ids of snapshots of earlier domains that stay, since their writers may not back up their hosts."`
	Stored    int64            `json:"bytes_before" doc:"Bytes of all packs before: about what is read and stored anew, at most."`
	Added     uint64           `json:"data_added_packed" doc:"Bytes that were stored."`
	Grace     string           `json:"grace" doc:"How long the old packs stay before packstone prune deletes them."`
	DryRun    bool             `json:"dry_run,omitempty" doc:"Whether nothing was changed."`
}

// reencryptedRow is what became of one snapshot.
type reencryptedRow struct {
	ID  string `json:"id" doc:"The id of the snapshot that was."`
	New string `json:"new_id,omitempty" doc:"The id of the one that has taken its place."`
}

// notRevoked says what reencrypting does not take away from anybody.
const notRevoked = "what cannot be taken back: copies that somebody has made, older versions in a bucket, and what locks protect, until they expire; " +
	"the log keeps what it says of old snapshots, such as host, set and paths, and the index of old packs stays with it for a while"

func (a *app) reencrypt(ctx context.Context, o rotateOptions) error {
	write, err := a.writeOptions(o.packSize)
	if err != nil {
		return err
	}
	v, owner, err := a.openToReencrypt(ctx)
	if err != nil {
		return err
	}
	anew, err := copy.PlanAnew(v)
	if err != nil {
		return err
	}
	m, err := newReencryptMessage(ctx, v.Repo, anew)
	if err != nil {
		return err
	}
	if m.DryRun = a.flags.dryRun; m.DryRun {
		for _, s := range anew.Snapshots {
			m.Snapshots = append(m.Snapshots, reencryptedRow{ID: s.ID.String()})
		}
		a.out.Summary(m, strings.Join(append(m.meaning(len(anew.Snapshots)), "dry run, nothing was changed"), "\n"))
		return a.out.Err()
	}
	if err := a.agreeToRotate(m.meaning(len(anew.Snapshots)), len(anew.Snapshots) > 0 && !o.yes); err != nil {
		return err
	}
	if err := a.letForget(ctx, v.Repo, owner); err != nil {
		return err
	}
	err = a.makeAnew(ctx, v.Repo, anew, copy.Options{Fetch: a.fetchOptions(), Write: write}, owner, m)
	m.Added = write.Progress.BytesPacked.Load()
	if err != nil {
		return fmt.Errorf("%d of %s stored anew; to continue, run the same command again: %w", len(m.Snapshots), output.Plural(len(anew.Snapshots), "snapshot"), err)
	}
	a.out.Summary(m, m.text())
	return a.out.Err()
}

// openToReencrypt opens the repository with all the keys that are needed, before anything is read.
func (a *app) openToReencrypt(ctx context.Context) (v *view.View, owner crypto.Signer, err error) {
	repo, _, err := a.OpenRepository(ctx, machine.MustRead|machine.MustWrite)
	if err != nil {
		return nil, owner, err
	}
	if owner, err = a.Owner(repo); err != nil {
		return nil, owner, err
	}
	if v, err = a.look(ctx, repo); err != nil {
		return nil, owner, err
	}
	return v, owner, v.Whole(ctx)
}

func newReencryptMessage(ctx context.Context, repo *catalog.Repository, anew *copy.Anew) (*reencryptMessage, error) {
	grace, err := repo.Config.GracePeriod()
	if err != nil {
		return nil, err
	}
	m := &reencryptMessage{Domain: repo.Config.Domain, Grace: retention.Period(grace), Snapshots: []reencryptedRow{}, Left: []string{}}
	for _, s := range anew.Left {
		m.Left = append(m.Left, s.ID.String())
	}
	for pack, err := range archive.ListPacks(ctx, repo.Store) {
		if err != nil {
			return nil, err
		}
		m.Stored += int64(pack.Size)
	}
	return m, nil
}

// makeAnew makes the new snapshots, and then forgets the old ones.
func (a *app) makeAnew(ctx context.Context, repo *catalog.Repository, anew *copy.Anew, o copy.Options, owner crypto.Signer, m *reencryptMessage) (err error) {
	o.Done = func(s *catalog.Snapshot, id archive.Name) {
		m.Snapshots = append(m.Snapshots, reencryptedRow{s.ID.String(), id.String()})
	}
	stop := a.out.Progress(meter.Of(o.Write.Progress))
	err = anew.Make(ctx, repo, o)
	stop()
	if err != nil {
		return err
	}
	m.Forgotten, err = anew.Finish(ctx, func(do func(*catalog.Session) error) error { return admin.Decide(ctx, repo, owner, do) })
	return err
}

// meaning says what storing snapshots anew does, what it costs, and what it does not do.
func (m *reencryptMessage) meaning(snapshots int) []string {
	if snapshots == 0 {
		return append([]string{"no snapshot of an earlier domain is to be stored anew"}, m.stay()...)
	}
	lines := []string{
		fmt.Sprintf("%s of earlier domains: each is stored anew with domain %d for the present recipients, and the old one is forgotten", output.Plural(snapshots, "snapshot"), m.Domain),
		fmt.Sprintf("this reads up to %s and stores as much beside it, until packstone prune deletes the old packs", output.Bytes(m.Stored)),
		notRevoked,
	}
	return append(lines, m.stay()...)
}

// stay says which snapshots stay as they are.
func (m *reencryptMessage) stay() (lines []string) {
	for _, id := range m.Left {
		lines = append(lines, fmt.Sprintf("snapshot %s stays as it is, since its writer may not back up the host that it names; remove it with packstone forget", id[:shortID]))
	}
	return lines
}

func (m *reencryptMessage) text() string {
	var lines []string
	for _, row := range m.Snapshots {
		lines = append(lines, fmt.Sprintf("snapshot %s is now %s", row.ID[:shortID], row.New[:shortID]))
	}
	if m.Forgotten == 0 {
		return strings.Join(append(lines, m.meaning(0)...), "\n")
	}
	lines = append(lines,
		fmt.Sprintf("stored %s anew with domain %d (%s), and forgot %d", output.Plural(len(m.Snapshots), "snapshot"), m.Domain, output.Bytes(int64(m.Added)), m.Forgotten),
		fmt.Sprintf("packstone prune deletes the old packs after %s; at once: packstone prune --grace 0", m.Grace),
		notRevoked)
	return strings.Join(append(lines, m.stay()...), "\n")
}
