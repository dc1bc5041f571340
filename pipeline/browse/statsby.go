package browse

import (
	"context"
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

// WeighBy reads what groups of snapshots need, in their order, and no content. It holds four bytes
// for each chunk that they need.
func WeighBy(ctx context.Context, repo *catalog.Repository, groups [][]*catalog.Snapshot) (shares []Share, unnamed []archive.Name, err error) {
	log, err := repo.ReadLog(ctx)
	if err != nil {
		return nil, nil, err
	}
	index := repo.NewIndex()
	defer index.Close()
	if _, err := repo.LoadIndex(ctx, log, index, nil); err != nil {
		return nil, nil, err
	}
	first, err := firstUsers(ctx, repo, log, groups)
	if err != nil {
		return nil, nil, err
	}
	shares = make([]Share, len(groups))
	for name, users := range first {
		pack, ok, err := index.Pack(ctx, name)
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			unnamed = append(unnamed, name)
			continue
		}
		divide(shares, pack.Directory, users)
	}
	slices.SortFunc(unnamed, func(a, b archive.Name) int { return strings.Compare(a.String(), b.String()) })
	return shares, unnamed, nil
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

// firstUsers says of each pack which group needs each of its chunks.
func firstUsers(ctx context.Context, repo *catalog.Repository, log *catalog.Log, groups [][]*catalog.Snapshot) (map[archive.Name][]user, error) {
	var records []*catalog.Record
	of := map[*catalog.Record][]int{}
	for i, group := range groups {
		for _, s := range group {
			if rec := log.Find(s.ID); rec != nil { // else it is gone since the snapshots were read
				records = append(records, rec)
				of[rec] = append(of[rec], i)
			}
		}
	}
	first := map[archive.Name][]user{}
	err := repo.EachRefs(ctx, log, records, func(users []*catalog.Record, refs *archive.RefSet) error {
		for ref := range refs.All() {
			for _, rec := range users {
				for _, group := range of[rec] {
					first[ref.Name] = use(first[ref.Name], ref.Ordinals, group)
				}
			}
		}
		return nil
	})
	return first, err
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
