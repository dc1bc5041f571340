package pipeline_test

import (
	"slices"
	"testing"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/check"
)

// What a writer has stored who was revoked since, and others need.

// orphaned is a repository whose host has stored nothing itself: all that its snapshot needs is in
// packs of a writer of its group, of which no record counts.
func orphaned(t *testing.T) (w *world, source *fakeSource) {
	w = newWorld(t)
	w.change(func(c *catalog.Config) { c.Writers[0].Group = "all" })
	gone := *w
	gone.cache = t.TempDir()
	gone.writer = w.admit(catalog.Member{Hosts: []string{"host"}, Group: "all"}, "gone")
	source = randomSource(12, 20_000, 1)
	gone.mustBackup(source.clone())
	w.mustBackup(source.clone())
	w.letForget()
	w.change(func(c *catalog.Config) {
		i := slices.IndexFunc(c.Writers, func(m catalog.Member) bool { return m.Name() == "gone" })
		c.Writers[i].Revoked = map[string]uint64{}
	})
	return w, source
}

func TestPacksOfARevokedWriterThatOthersNeedAreListedAgain(t *testing.T) {
	w, source := orphaned(t)
	if report := checked(t, w, check.Options{}); len(report.Findings) == 0 {
		t.Error("a check finds nothing though no record that counts lists the packs")
	}
	if r := w.mustRebuild(); r.Listed == 0 || r.Listed != r.Unlisted || len(r.Left) > 0 {
		t.Errorf("%+v", r)
	}
	w.check()
	w.same(0, source)
	w.mustCollect(rolling)
	w.check()
	w.same(0, source)
	before := w.stored()
	w.cache = t.TempDir()
	w.mustBackup(source.clone())
	if grown := w.stored() - before; grown > before/20 {
		t.Errorf("%d bytes are stored again of %d that are listed again", grown, before)
	}
}

// The copy that a revoked writer has of what another pack has lost is as good as any.
func TestWhatARevokedWriterHasTooStandsInForAPackThatIsLost(t *testing.T) {
	w := newWorld(t)
	source := randomSource(12, 20_000, 1)
	w.mustBackup(source)
	own := w.names("packs/")
	gone := w.elsewhere("gone")
	gone.mustBackup(source.clone())
	w.letForget()
	w.change(func(c *catalog.Config) {
		i := slices.IndexFunc(c.Writers, func(m catalog.Member) bool { return m.Name() == "gone" })
		c.Writers[i].Revoked = map[string]uint64{}
	})
	w.lose(own[0])
	if r := w.mustRebuild(); r.Listed == 0 || len(r.Left) > 0 {
		t.Errorf("%s is lost: %+v", own[0], r)
	}
	w.check()
	w.same(0, source)
	if again := w.mustRebuild(); again.Unlisted > 0 {
		t.Errorf("the second time: %+v", again)
	}
	w.mustCollect(rolling)
	w.check()
	w.same(0, source)
}
