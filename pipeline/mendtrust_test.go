package pipeline_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/forgetest"
)

// Whoever holds the key of a writer can say of any pack that it has what its own damaged pack had,
// and a copy has that too. A repair from the copy believes it: but nothing of anybody else is left
// because of that.

// taken takes objects away, to be brought back.
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

// rotten stores content of web in a pack that is one byte too long, and makes a copy that has it.
func (b *besieged) rotten() (content string, copy *world) {
	b.t.Helper()
	content = strings.Repeat("w", len(secret))
	b.lie(forgetest.Snapshot{Host: "web", Files: map[string]string{"a": content}})
	for _, name := range b.names("packs/") {
		data, err := b.store.Get(b.t.Context(), name, 0, -1, nil)
		if err != nil {
			b.t.Fatal(err)
		}
		b.store.Set(name, append(bytes.Clone(data), 0))
	}
	return content, copied(b.copyTo(b.sharing())).to
}

// claims lists packs as web, and needs all that is in them.
func (b *besieged) claims(packs []archive.RunPack) {
	b.t.Helper()
	refs := &archive.RefSet{}
	for _, p := range packs {
		for i := range p.Directory.IDs {
			refs.Add(p.Pack, uint32(i))
		}
	}
	run, err := b.forger.PutRun(b.t.Context(), packs)
	if err != nil {
		b.t.Fatal(err)
	}
	list, err := b.forger.PutRefs(b.t.Context(), archive.EncodeRefs(refs))
	if err != nil {
		b.t.Fatal(err)
	}
	b.record(b.forger.Lane(0), "checkpoint", map[string]any{"index": []string{run}, "refs": map[string]any{"full": list}})
}

// relabelled are the packs of one kind of a snapshot, listed as those of another kind.
func (b *besieged) relabelled(s *catalog.Snapshot, kind, as archive.Kind) (list []archive.RunPack) {
	b.t.Helper()
	for _, p := range b.misdescribed(s) {
		if p.Pack.Kind == kind {
			pack, d := *p.Pack, *p.Directory
			pack.Kind, d.Lengths = as, slices.Clone(d.Lengths)
			list = append(list, archive.RunPack{Pack: &pack, Directory: &d})
		}
	}
	return list
}

// holding says that each chunk of packs is this one.
func (b *besieged) holding(content string, packs []archive.RunPack) []archive.RunPack {
	for _, p := range packs {
		for i := range p.Directory.IDs {
			p.Directory.IDs[i], p.Directory.Lengths[i] = b.forger.ID(content), uint32(len(content))
		}
	}
	return packs
}

// outlives fails the test unless a snapshot of db1 is whole after collections.
func (b *besieged) outlives(s *catalog.Snapshot) {
	b.t.Helper()
	b.letForget()
	for range 3 {
		b.mustCollect(fencing)
	}
	b.mustCollect(rolling)
	b.wantLatest(s)
}

func TestARepairOnTheWordOfAForgerTakesNothingAway(t *testing.T) {
	runOf := func(b *besieged, s *catalog.Snapshot) string { return archive.Runs.Object(b.runOf(b.log().Find(s.ID))) }
	data := func(b *besieged, s *catalog.Snapshot) []archive.RunPack {
		return b.relabelled(s, archive.Data, archive.Data)
	}
	for what, does := range map[string]func(b *besieged, before []string, s *catalog.Snapshot) (lies []archive.RunPack, back func()){
		"while the index of db1 is lost": func(b *besieged, _ []string, s *catalog.Snapshot) ([]archive.RunPack, func()) {
			return data(b, s), b.taken(runOf(b, s))
		},
		"while the index and the packs of db1 are lost": func(b *besieged, before []string, s *catalog.Snapshot) ([]archive.RunPack, func()) {
			packs := slices.DeleteFunc(b.names("packs/"), func(name string) bool { return slices.Contains(before, name) })
			return data(b, s), b.taken(append(packs, runOf(b, s))...)
		},
		"of the other kind of pack": func(b *besieged, _ []string, s *catalog.Snapshot) ([]archive.RunPack, func()) {
			return b.relabelled(s, archive.Trees, archive.Data), b.taken(runOf(b, s))
		},
		"while the refs of db1 are lost": func(b *besieged, _ []string, s *catalog.Snapshot) ([]archive.RunPack, func()) {
			name, err := archive.ParseName(b.log().Find(s.ID).Refs.Full)
			if err != nil {
				t.Fatal(err)
			}
			return data(b, s), b.taken(runOf(b, s), archive.Refs.Object(name))
		},
		"before db1 has published its backup": func(b *besieged, before []string, s *catalog.Snapshot) ([]archive.RunPack, func()) {
			late := slices.DeleteFunc(b.names(""), func(name string) bool {
				return slices.Contains(before, name) || isPack(name) || strings.HasPrefix(name, "sessions/")
			})
			return data(b, s), b.taken(late...)
		},
		"of a snapshot that is forgotten and brought back": func(b *besieged, _ []string, s *catalog.Snapshot) ([]archive.RunPack, func()) {
			lies := data(b, s)
			b.forget(s.ID)
			back := b.taken(runOf(b, s))
			return lies, func() {
				back()
				undelete := func(session *catalog.Session) error { return session.Undelete(t.Context(), []archive.Name{s.ID}) }
				if err := b.decides(b.store, undelete); err != nil {
					t.Fatal(err)
				}
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			b := besiege(t, "")
			content, to := b.rotten()
			b.victim.add("accounts", []byte(secret))
			before := b.names("")
			honest := b.backsUp()
			lies, back := does(b, before, honest)
			b.claims(b.holding(content, lies))
			if m := b.mustMend(to); m.Stored != 1 {
				t.Errorf("the chunk of web is mended: %+v", m)
			}
			back()
			b.wantLatest(honest)
			b.outlives(honest)
		})
	}
}

// Nor does it hold up the repair of what others have lost.
func TestLiesHoldUpNoRepair(t *testing.T) {
	for what, lie := range map[string]func(b *besieged, s *catalog.Snapshot){
		"another length": func(b *besieged, s *catalog.Snapshot) {
			lies := b.relabelled(s, archive.Data, archive.Data)
			lies[0].Pack.Name = archive.Name{31: 1} // the first of all
			for i := range lies[0].Directory.Lengths {
				lies[0].Directory.Lengths[i]++
			}
			b.claims(lies)
		},
		"another content": func(b *besieged, s *catalog.Snapshot) {
			lies := b.relabelled(s, archive.Data, archive.Data)
			lies[0].Directory.IDs[0][0] ^= 1
			b.claims(lies)
		},
		"a domain that is none": func(b *besieged, s *catalog.Snapshot) {
			b.record(b.forger.Lane(0), "checkpoint", map[string]any{"index": []string{b.runOf(b.log().Find(s.ID)).String()}, "domain": 99})
		},
	} {
		t.Run(what, func(t *testing.T) {
			b := besiege(t, "")
			b.victim.add("accounts", []byte(secret))
			honest := b.backsUp()
			to := copied(b.copyTo(b.sharing())).to
			lie(b, honest)
			b.lose(b.names("packs/")...)
			b.mustMend(to)
			b.wantLatest(honest)
			if what != "a domain that is none" { // which holds up collectors
				b.outlives(honest)
			}
		})
	}
}

// What a writer of the same group has stored is mended like anything else.
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
