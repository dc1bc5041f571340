package browse

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
)

// Share is what a group of snapshots takes in a repository, beside the other groups.
type Share struct {
	Added uint64 // stored bytes that no group before it needs
	Alone uint64 // stored bytes that no other group needs
}

// Groups divides snapshots by what of says of each, oldest first in each group and among groups.
func Groups(snapshots []*catalog.Snapshot, of func(*catalog.Snapshot) string) [][]*catalog.Snapshot {
	byTime := func(a, b *catalog.Snapshot) int { return a.Time.Compare(b.Time) }
	return catalog.Divide(slices.SortedStableFunc(slices.Values(snapshots), byTime), of)
}

// WeighBy reads what groups of snapshots need, in their order, and no content. Of several divisions
// into groups it returns the shares of each. It holds four bytes for each chunk that they need and
// each division.
func WeighBy(ctx context.Context, repo *catalog.Repository, divisions ...[][]*catalog.Snapshot) (shares [][]Share, unnamed []archive.Name, err error) {
	log, err := repo.ReadLog(ctx)
	if err != nil {
		return nil, nil, err
	}
	index := repo.NewIndex()
	defer index.Close()
	if _, err := repo.LoadIndex(ctx, log, index, nil); err != nil {
		return nil, nil, err
	}
	firsts, err := firstUsers(ctx, repo, log, divisions)
	if err != nil {
		return nil, nil, err
	}
	for i, first := range firsts {
		shares = append(shares, make([]Share, len(divisions[i])))
		for name, users := range first {
			pack, ok, err := index.Pack(ctx, name)
			if err != nil {
				return nil, nil, err
			}
			if !ok {
				unnamed = append(unnamed, name)
				continue
			}
			divide(shares[i], pack.Directory, users)
		}
	}
	slices.SortFunc(unnamed, func(a, b archive.Name) int { return strings.Compare(a.String(), b.String()) })
	return shares, slices.Compact(unnamed), nil
}

// user is the first group that needs a chunk, counted from 1, twice that; one more where another
// group needs the chunk too. 0: none does.
type user uint32

// with adds a group, from 0.
func (u user) with(group int) user {
	mine := user(group+1) * 2
	switch {
	case u == 0 || u == mine:
		return mine
	case u&^1 == mine:
		return u
	}
	return min(u&^1, mine) | 1
}

// member says that a record is of a group in a division.
type member struct{ division, group int }

// firstUsers says of each division and each pack which group needs each of its chunks.
func firstUsers(ctx context.Context, repo *catalog.Repository, log *catalog.Log, divisions [][][]*catalog.Snapshot) ([]map[archive.Name][]user, error) {
	of := map[*catalog.Record][]member{}
	firsts := make([]map[archive.Name][]user, len(divisions))
	for i, groups := range divisions {
		firsts[i] = map[archive.Name][]user{}
		for j, group := range groups {
			for _, s := range group {
				if rec := log.Find(s.ID); rec != nil { // else it is gone since the snapshots were read
					of[rec] = append(of[rec], member{i, j})
				}
			}
		}
	}
	err := repo.EachRefs(ctx, log, slices.Collect(maps.Keys(of)), func(users []*catalog.Record, refs *archive.RefSet) error {
		for ref := range refs.All() {
			for _, rec := range users {
				for _, m := range of[rec] {
					first := firsts[m.division]
					first[ref.Name] = use(first[ref.Name], ref.Ordinals, m.group)
				}
			}
		}
		return nil
	})
	return firsts, err
}

// use says that a group needs some chunks of a pack.
func use(users []user, chunks archive.Bitmap, group int) []user {
	for ordinal := range chunks.All() {
		if missing := int(ordinal) + 1 - len(users); missing > 0 {
			users = append(users, make([]user, missing)...)
		}
		users[ordinal] = users[ordinal].with(group)
	}
	return users
}

// divide gives each group its part of a pack. Of a frame with several chunks, each is stored in
// proportion.
func divide(shares []Share, d *archive.Directory, users []user) {
	ordinal := 0
	for _, frame := range d.Frames {
		lengths := d.Lengths[ordinal : ordinal+int(frame.Chunks)]
		var all uint64
		for _, length := range lengths {
			all += uint64(length)
		}
		for _, length := range lengths {
			if ordinal < len(users) && users[ordinal] != 0 {
				stored := uint64(frame.Stored) * uint64(length) / max(all, 1)
				shares[users[ordinal]/2-1].add(stored, users[ordinal]&1 == 0)
			}
			ordinal++
		}
	}
}

func (s *Share) add(stored uint64, alone bool) {
	s.Added += stored
	if alone {
		s.Alone += stored
	}
}
