package catalog

import (
	"context"
	"fmt"
	"slices"
)

// TagChange is which tags snapshots get and lose. A tag in both lists is added.
type TagChange struct{ Add, Remove []string }

// ChangeTo returns the change after which snapshots have these tags and no others.
func ChangeTo(tags []string, snapshots []*Snapshot) TagChange {
	var others []string
	for _, s := range snapshots {
		others = append(others, s.Tags...)
	}
	slices.Sort(others)
	return TagChange{tags, slices.DeleteFunc(slices.Compact(others), func(t string) bool { return slices.Contains(tags, t) })}
}

// Changes reports whether the change would alter the tags of a snapshot.
func (c TagChange) Changes(s *Snapshot) bool {
	has := func(t string) bool { return slices.Contains(s.Tags, t) }
	added := slices.ContainsFunc(c.Add, func(t string) bool { return !has(t) })
	return added || slices.ContainsFunc(c.Remove, func(t string) bool { return has(t) && !slices.Contains(c.Add, t) })
}

// ChangeTags changes the tags of this writer's own snapshots, in a session of its own.
func (r *Repository) ChangeTags(ctx context.Context, snapshots []*Snapshot, c TagChange) error {
	return Again(func() error { return r.tryChangeTags(ctx, snapshots, c) })
}

func (r *Repository) tryChangeTags(ctx context.Context, snapshots []*Snapshot, c TagChange) error {
	session, err := r.Begin(ctx)
	if err != nil {
		return fmt.Errorf("change tags: %w", err)
	}
	defer session.Close()
	if err := session.SetTags(ctx, snapshots, c.Add, c.Remove); err != nil {
		return fmt.Errorf("change tags: %w", err)
	}
	return nil
}
