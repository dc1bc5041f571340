package pipeline_test

import (
	"strings"
	"testing"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/forgetest"
	"github.com/packstone/packstone/pipeline/check"
)

// What is moved, everybody looks for at the new place. So a repair believes of a pack only what all
// believe who need it.

// taken is the objects that were lost, to be brought back.
func (w *world) taken(names ...string) (back func()) {
	w.t.Helper()
	held := map[string][]byte{}
	for _, name := range names {
		data, err := w.store.Get(w.t.Context(), name, 0, -1, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		held[name] = data
	}
	w.lose(names...)
	return func() {
		for name, data := range held {
			w.store.Set(name, data)
		}
	}
}

// untouched fails the test if something was moved out of packs.
func (b *besieged) untouched(names ...string) {
	b.t.Helper()
	moves, err := b.reader().ReadMoves(b.t.Context(), b.log(), false)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, name := range names {
		if moves.IsLeft(nameOf(b.t, name)) {
			b.t.Errorf("something was moved out of %s", name)
		}
	}
}

func nameOf(t testing.TB, object string) archive.Name {
	t.Helper()
	name, err := archive.ParseName(object[strings.LastIndex(object, "/")+1:])
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// doubts fails the test unless each of the packs has something that a repair leaves, because of all
// of these words.
func doubts(t *testing.T, m *check.Mended, words ...string) {
	t.Helper()
	for _, f := range m.Left {
		if saysAll(f.Err.Error(), words...) {
			return
		}
	}
	t.Errorf("left is %v, want one with %q", m.Left, words)
}

// While the index of db1 is lost, web says that its own lost chunk lay in the packs of db1, which are
// lost too. A copy has that chunk.
func TestNothingIsMovedOutOfAPackOnTheWordOfAForger(t *testing.T) {
	b := besiege(t, "")
	content := strings.Repeat("w", len(secret))
	b.lie(forgetest.Snapshot{Host: "web", Files: map[string]string{"a": content}})
	ofWeb := b.names("packs/")
	b.victim.add("accounts", []byte(secret))
	honest := b.backsUp()
	ofDB1 := withoutAll(b.names("packs/"), ofWeb)
	to := copied(b.copyTo(b.sharing())).to
	lies := b.misdescribed(honest)
	for _, lie := range lies {
		for i := range lie.Directory.IDs {
			lie.Directory.IDs[i] = b.forger.ID(content)
		}
	}
	b.publish(lies...)
	back := b.taken(append(ofDB1, archive.Runs.Object(b.runOf(b.log().Find(honest.ID))))...)
	webBack := b.taken(ofWeb...)
	m := b.mustMend(to)
	if m.Stored == 0 {
		t.Error("the chunk of web was not stored again")
	}
	doubts(t, m, "writer db1 needs pack", "relies on nobody")
	b.untouched(ofDB1...)
	webBack()
	back()
	b.wantLatest(honest)
	b.letForget()
	b.mustCollect(rolling)
	b.wantLatest(honest)
}

func withoutAll(names, without []string) (left []string) {
	is := map[string]bool{}
	for _, name := range without {
		is[name] = true
	}
	for _, name := range names {
		if !is[name] {
			left = append(left, name)
		}
	}
	return left
}

// Who names packs of others without relying on them holds up their repair until it is revoked, and
// hides no damage.
func TestAWriterWhoNamesAPackOfOthersIsNamedAndCanBeRevoked(t *testing.T) {
	b := besiege(t, "")
	b.victim.add("accounts", []byte(secret))
	honest := b.backsUp()
	to := copied(b.copyTo(b.sharing())).to
	refs := &archive.RefSet{}
	for _, object := range b.names("packs/") {
		refs.Add(&archive.Pack{Kind: archive.Data, Name: nameOf(t, object)}, 0)
	}
	list, err := b.forger.PutRefs(t.Context(), archive.EncodeRefs(refs))
	if err != nil {
		t.Fatal(err)
	}
	b.record(b.forger.Lane(0), "checkpoint", map[string]any{"refs": map[string]any{"full": list}})
	b.lose(b.names("packs/")...)
	if files := filesHurt(b.examine(true)); files == 0 {
		t.Error("check names no file that is hurt")
	}
	m := b.mustMend(to)
	doubts(t, m, "writer web needs pack", "revoke the writer")
	if m.Stored > 0 {
		t.Errorf("stored all the same: %+v", m)
	}
	b.change(func(c *catalog.Config) {
		for i := range c.Writers {
			if c.Writers[i].Name() == "web" {
				c.Writers[i].Revoked = map[string]uint64{}
			}
		}
	})
	if m := b.mustMend(to); m.Stored == 0 || len(m.Left) > 0 {
		t.Errorf("after web is revoked: %+v", m)
	}
	b.wantLatest(honest)
	b.check()
}

func filesHurt(report *check.Report) (n int) {
	for _, f := range report.Findings {
		n += len(f.Files)
	}
	return n
}

// Runs that contradict each other about a pack that is gone move nothing.
func TestNothingIsMovedOutOfAPackThatIsContested(t *testing.T) {
	b := besiege(t, "all")
	b.victim.add("accounts", []byte(secret))
	honest := b.backsUp()
	to := copied(b.copyTo(b.sharing())).to
	lies := b.misdescribed(honest)
	for _, lie := range lies {
		lie.Directory.IDs[0][0] ^= 1
	}
	b.publish(lies...)
	lost := b.names("packs/")
	back := b.taken(lost...)
	m := b.mustMend(to)
	doubts(t, m, "contradict each other")
	b.untouched(lost...)
	back()
	b.wantLatest(honest)
}

// What a writer of the same group has stored may be moved for all of the group.
func TestWhatAGroupHasStoredIsMended(t *testing.T) {
	b := besiege(t, "all")
	pack, err := b.forger.Pack(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	b.publish(pack)
	b.victim.add("accounts", []byte(secret))
	honest := b.backsUp()
	to := copied(b.copyTo(b.sharing())).to
	b.lose(b.names("packs/")...)
	if m := b.mustMend(to); m.Stored == 0 || len(m.Left) > 0 {
		t.Errorf("mended: %+v", m)
	}
	b.wantLatest(honest)
	b.check()
}

// A snapshot of another repository may say that it is a copy, and have other content at the position
// of a chunk. Then that comes from its next position, or stays lost.
func TestOnlyTheSameBytesComeFromWhatSaysToBeACopy(t *testing.T) {
	content := string(randomBytes(20_000, 1))
	for _, c := range []struct {
		what, a, b string
		mended     bool
	}{
		{"other bytes at one of two positions", content[1:] + "x", content, true},
		{"fewer bytes at one of two positions", content[:10_000], content, true},
		{"other bytes at both", content[1:] + "x", content[1:] + "y", false},
	} {
		t.Run(c.what, func(t *testing.T) {
			w, other := newWorld(t), newWorld(t)
			src := newSource()
			src.add("a", []byte(content))
			src.add("b", []byte(content))
			s := w.mustBackup(src)
			origin := catalog.Origin{Repository: w.reader().Format.Repository, Snapshot: s.ID.String()}
			_, err := forgetest.New(other.store, other.writer).Commit(t.Context(), forgetest.Snapshot{
				Host: "host", Set: "set", Source: "source0", Files: map[string]string{"a": c.a, "b": c.b}, Sealed: map[string]any{"origin": origin},
			})
			if err != nil {
				t.Fatal(err)
			}
			w.lose(w.names("packs/")...)
			m := w.mustMend(other)
			if got := m.Stored == 1 && len(m.Left) == 0; got != c.mended {
				t.Fatalf("mended: %+v", m)
			}
			if c.mended {
				w.check()
				w.same(0, src)
			}
		})
	}
}
