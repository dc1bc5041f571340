package sabotage_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mutation is a line of the program done wrongly. Nothing of it is in any program but the tests of
// one build.
type mutation struct {
	wrong string // what the program does then
	file  string // from the root of the source
	old   string // what stands there once
	new   string // what stands in its place
	// watched are packages and those of their tests that are to notice: a pattern of names, or of
	// scripts after "TestScripts/".
	watched map[string]string
}

// TestEveryMutationHasItsPlace holds that what is mutated is still there, and once only.
func TestEveryMutationHasItsPlace(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range mutations {
		source, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(m.file)))
		if err != nil {
			t.Errorf("%s: %v", m.wrong, err)
			continue
		}
		if n := strings.Count(string(source), m.old); n != 1 {
			t.Errorf("%s: %s has %d times, want once: %s", m.wrong, m.file, n, m.old)
		}
		if m.new == m.old || len(m.watched) == 0 || seen[m.wrong] {
			t.Errorf("%s: it changes nothing, nobody watches it, or it is there twice", m.wrong)
		}
		seen[m.wrong] = true
		for folder, tests := range m.watched {
			if found, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(folder), "*_test.go")); err != nil || len(found) == 0 {
				t.Errorf("%s: there are no tests in %s, of which %s are to notice it", m.wrong, folder, tests)
			}
		}
	}
}

// mutations would lose, forge, leak or mix up data.
var mutations = []mutation{
	// Storage.
	{
		"a name is not flushed to the disk", "archive/store/localdir/localdir.go",
		"g.Go(func() error { return syncDir(s.path(dir)) })", "g.Go(func() error { _ = dir; return nil })",
		map[string]string{"archive/store/localdir": "Test.*Sync"},
	},
	{
		"a new folder's own name is not flushed", "archive/store/localdir/put.go",
		"s.dirty.Made(dir)", "_ = dir",
		map[string]string{"archive/store/localdir": "Test.*Sync"},
	},
	{
		"a name that is taken counts as stored", "archive/store/localdir/put.go",
		"return store.ErrExist\n\tcase !unsupported(err):", "return nil\n\tcase !unsupported(err):",
		map[string]string{"archive/store/localdir": "TestStoreHoldsTheContract"},
	},
	{
		"a bucket's object is written over", "archive/store/s3/s3.go",
		"bucket.PutOptions{Header: octets, Absent: true}", "bucket.PutOptions{Header: octets}",
		map[string]string{"archive/store/s3": "TestStoreHoldsTheContractOverHTTP"},
	},
	{
		"a body that is cut off is taken for whole", "archive/store/s3/s3.go",
		"grown[len(dst):]); err != nil {", "grown[len(dst):]); err != nil && err != io.ErrUnexpectedEOF {",
		map[string]string{"archive/store/s3": "TestRead"},
	},
	{
		"a wrong part of an object is taken", "archive/store/s3/s3.go",
		"case offset >= 0 && !strings.HasPrefix(", "case offset > 1<<62 && !strings.HasPrefix(",
		map[string]string{"archive/store/s3": "TestRead"},
	},
	{
		"another's object counts as one's own after a lost answer", "archive/store/sftp/put.go",
		"if !bytes.Equal(there, p.data) {", "if bytes.Equal(there, nil) {",
		map[string]string{"archive/store/sftp": "Test.*LostAnswer"},
	},
	{
		"a listing ends after its first page", "archive/store/s3/bucket/aws.go",
		"in.ContinuationToken = &next", "_, in.ContinuationToken = next, nil; return nil",
		map[string]string{"archive/store/s3": "TestStoreHoldsTheContractOverHTTP", "pipeline/remote/s3": "TestTree"},
	},

	// The format and its keys.
	{
		"an upload's error is dropped", "archive/upload.go",
		"\t\tw.fail(err)\n", "\t\t_ = err\n",
		map[string]string{"archive": "TestEveryCall", "pipeline": "TestABackupAfterOneLostCall"},
	},
	{
		"an object's bytes are not compared with its name", "archive/sealed.go",
		"if sha256.Sum256(data) != name {", "if len(data) == 0 && name != sha256.Sum256(data) {",
		map[string]string{"archive": "Test.*Sealed", "pipeline/check": "TestCopyBack", "pipeline": "TestAnyFlippedByte|TestAMirror|TestADamagedIndexRun"},
	},
	{
		"two segments are sealed with one nonce", "crypto/envelope.go",
		"binary.BigEndian.PutUint64(nonce[3:11], index)", "binary.BigEndian.PutUint64(nonce[3:11], index&^1)",
		map[string]string{"crypto": "TestAgeOpens|TestWhatAgeSeals|TestOpenRefuses"},
	},
	{
		"the end of a file may be cut off", "crypto/envelope.go",
		"\t\tnonce[11] = 1\n", "\t\tnonce[11] = 0\n",
		map[string]string{"crypto": "TestAgeOpens|TestWhatAgeSeals|TestOpenRefuses"},
	},
	{
		"the size of a list is not hidden", "archive/sealed.go",
		"padding := Padme(size, 0) - size", "padding := size - size",
		map[string]string{"archive": "TestSealed"},
	},
	{
		"only the first recipient can open what is stored", "catalog/config.go",
		"for _, text := range c.Recipients {", "for _, text := range c.Recipients[:min(1, len(c.Recipients))] {",
		map[string]string{"catalog": "Test.*Recipient", "pipeline": "TestWhatARemovedRecipient", "cmd/packstone": "TestScripts/^(key|rotate|emergency|firstrun)$"},
	},
	{
		"a note counts at another place", "crypto/note.go",
		"if !bytes.HasPrefix(data, []byte(line)) {", "if len(data) < len(line) {",
		map[string]string{"crypto": "TestNotes"},
	},
	{
		"a secret is printed", "crypto/secret.go",
		"func (Secret) Format(state fmt.State, _ rune) { io.WriteString(state, redacted) }", "func (s Secret) Format(state fmt.State, _ rune) { io.WriteString(state, string(s.Bytes())) }",
		map[string]string{"crypto": "TestASecret|TestHoldersOfSecrets"},
	},

	// Who is believed.
	{
		"a writer signs in the lane of another", "catalog/log.go",
		"parseRecord(r.Format.Repository, lane, seq, data, v); err == nil {", "parseRecord(r.Format.Repository, lane, seq, data, append(keys(r.Config.Writers), v)...); err == nil {",
		map[string]string{"catalog": "TestAWriterCannotSign", "pipeline": "TestARecordInTheLane|TestNobodyTags"},
	},
	{
		"a config that the owner has not signed counts", "catalog/chain.go",
		"body, _, err := crypto.Verify(repository, configName(number), data, owner)", `_, text, _ := strings.Cut(string(data), "\n"); text, _, _ = strings.Cut(text, "\n\n"); body, err := []byte(text), error(nil); _, _ = repository, owner`,
		map[string]string{"catalog": "TestTheNewestConfig|TestGarbage|TestABrokenChain"},
	},
	{
		"a revoked writer is believed once more", "catalog/config.go",
		"n > m.Revoked[lane]", "n > m.Revoked[lane]+1",
		map[string]string{"catalog": "Test.*Revo"},
	},
	{
		"a revoked collector decides", "catalog/decide.go",
		"case m.Revoked != nil:", "case m.Revoked != nil && m.Key == \"\":",
		map[string]string{"catalog": "Test.*Revo", "pipeline": "Test.*Revo", "cmd/packstone": "TestScripts/^(collector)$"},
	},
	{
		"a roll-back of the log is not noticed", "catalog/heads.go",
		"if !head.Retired && !log.has(head.Hash)", "if head.Retired && !log.has(head.Hash)",
		map[string]string{"catalog": "TestReadersMiss|TestAStorageThatWasRolledBack|TestARolledBack"},
	},
	{
		"a roll-back by one config is not noticed", "catalog/heads.go",
		"if config.Number < m.Config {", "if config.Number+1 < m.Config {",
		map[string]string{"catalog": "TestReadersMiss|TestAStorageThatWasRolledBack|TestARolledBack|Test.*Config"},
	},
	{
		"a missing record is passed over", "catalog/log.go",
		"if err := follows(head, rec); err != nil && !ended[rec.Lane] {", "if err := follows(head, rec); err != nil && ended[rec.Lane] {",
		map[string]string{"catalog": "TestAGap|TestHistory|TestADamagedLane"},
	},
	{
		"the owner of a pinned repository may be another", "catalog/pins.go",
		"} else if pin.Repository == format.Repository {", "} else if pin.Repository == format.Repository && !trusted {",
		map[string]string{"catalog": "TestARepositoryIsTrusted|TestWhatWasSeen"},
	},
	{
		"a writer speaks for any host", "catalog/binding.go",
		"return standing(m.Hosts, host) != Outside }", "return standing(m.Hosts, host) <= Outside }",
		map[string]string{"catalog": "TestAWriterCommitsNothing|TestPatternsOfHosts", "pipeline": "TestABackupOutside"},
	},
	{
		"writers without a group share", "catalog/log.go",
		"return known && mine.Group == theirs.Group && (mine.Group != \"\" || r.Config.Rules == 0)", "return known && mine.Group == theirs.Group",
		map[string]string{"catalog": "TestWhoShares", "pipeline": "TestAPoisonedIndex|TestWhoShares"},
	},
	{
		"anybody's word on what was verified counts", "catalog/verified.go",
		"return ofOwner && (byOwner || byVerifier) }", "return ofOwner || byOwner || byVerifier }",
		map[string]string{"pipeline": "TestWhoIsNoVerifier|TestACollectorThatIsNoVerifier|TestALieAbout"},
	},
	{
		"a failed conditional put counts as done", "catalog/session.go",
		"case bytes.Equal(there, data):", "case len(there) > 0 || bytes.Equal(there, data):",
		map[string]string{"catalog": "TestATombstoneMeans|TestAKeyInUse|TestGarbageInTheWay"},
	},
	{
		"an object of the cache is believed without its hash", "catalog/cache.go",
		"if hash(data) != want {", "if len(data) == 0 && want != \"\" {",
		map[string]string{"catalog": "TestDamagedRefs"},
	},
	{
		"a page of the cache is believed without its id", "catalog/pages.go",
		"archive.ID(p.ids.Sum(page)) == id {", "len(page) > 0 {",
		map[string]string{"pipeline": "TestADamagedPage"},
	},

	// Retention and collection.
	{
		"a hold is ignored", "catalog/fate.go",
		"|| len(f.Holds(now)) > 0 {", "{",
		map[string]string{"catalog": "TestAHold"},
	},
	{
		"the grace does not begin when the last hold has ended", "catalog/fate.go",
		"gone = latest(gone, rec.Until)", "_ = rec",
		map[string]string{"catalog": "TestTheGrace"},
	},
	{
		"there is no grace", "catalog/needs.go",
		"return gone.IsZero() || t.Now.Sub(gone) < t.Grace", "return gone.IsZero()",
		map[string]string{"pipeline": "TestWhatOnlyForgotten"},
	},
	{
		"a rule keeps one less", "catalog/retention/retention.go",
		"if left == 0 {", "if left == 0 || left == 1 && r.count > 1 {",
		map[string]string{"catalog/retention": "TestRules"},
	},
	{
		"the span of a rule is an hour shorter", "catalog/retention/retention.go",
		"t.After(r.within.before(newest))", "t.After(r.within.before(newest).Add(time.Hour))",
		map[string]string{"catalog/retention": "Test"},
	},
	{
		"the retention floor goes by the writer's clock", "catalog/retention/retention.go",
		"if o.Now.Sub(s.Date) < o.Floor {", "if o.Now.Sub(s.Time) < o.Floor {",
		map[string]string{"catalog/retention": "Test"},
	},
	{
		"a snapshot that looks like a loss takes the place of another", "catalog/retention/retention.go",
		"return s.Complete && !s.Marked }", "return s.Complete }",
		map[string]string{"catalog/retention": "Test"},
	},
	{
		"a snapshot of which a file is missing counts as complete", "catalog/record.go",
		"if s.Sources[i].Coverage.Missed > 0 {", "if s.Sources[i].Coverage.Missed > 1 {",
		map[string]string{"pipeline": "TestContentThatChanges"},
	},
	{
		"an undelete comes after the sweep", "catalog/decide.go",
		"Undelete(ctx context.Context, subjects []archive.Name) error {\n\tif err := s.stillThere(ctx, subjects); err != nil {", "Undelete(ctx context.Context, subjects []archive.Name) error {\n\tif err := s.stillThere(ctx, nil); err != nil {",
		map[string]string{"catalog": "TestItIsTooLate"},
	},
	{
		"what is condemned is committed", "catalog/session.go",
		"if avoid.Has(ref.Name) {", "if avoid.Has(ref.Name) && ref.Kind == \"\" {",
		map[string]string{"catalog": "TestWhatIsBeingCollected|TestASnapshotWithItsParents"},
	},
	{
		"what is condemned may be relied on", "catalog/collection/collection.go",
		"set = set.Add(r.Condemned)", "set = set.Minus(set)",
		map[string]string{"catalog": "TestWhatIsBeingCollected|TestTheProtocol"},
	},
	{
		"what another collector has swept is deleted unseen", "pipeline/collect/collect.go",
		"at = at.Rechecked(needed)", "at = at.Rechecked(needed.Minus(needed))",
		map[string]string{"pipeline": "TestASweepOfWhatIsNeeded"},
	},
	{
		"a collection goes on where records do not verify", "catalog/needs.go",
		"if len(log.Problems) > 0 {", "if len(log.Problems) > 1 {",
		map[string]string{"pipeline": "TestACollectionStops", "catalog": "TestADamagedLane"},
	},
	{
		"a roll-up drops what a running backup may build on", "catalog/rollup.go",
		"case !u.drained || !u.prev.isLeaving(rec):", "case !u.prev.isLeaving(rec):",
		map[string]string{"catalog": "TestNothingLeaves"},
	},
	{
		"a pack whose chunks were copied gets no grace", "catalog/moves.go",
		"t.Grace > 0 && t.Now.Sub(moves[i].date) < t.Grace }", "t.Grace < 0 && t.Now.Sub(moves[i].date) < t.Grace }",
		map[string]string{"pipeline": "TestCopiedPacks"},
	},
	{
		"locks end a day too early", "pipeline/keep/keep.go",
		"k.until = k.now.Add(k.o.Horizon).Truncate(time.Second)", "k.until = k.now.Add(k.o.Horizon - 24*time.Hour).Truncate(time.Second)",
		map[string]string{"pipeline/keep": "TestARunLocksAll"},
	},
	{
		"locks go by this host's clock", "pipeline/keep/keep.go",
		"k.now = k.o.Now().Add(k.o.Locker.Ahead()).UTC()", "k.now = k.o.Now().UTC()",
		map[string]string{"pipeline/keep": "Test.*Lock|TestADaily"},
	},
	{
		"the newest version is locked, not the first", "pipeline/keep/object.go",
		"\t\tif !v.Deleted {\n\t\t\tfirst = i\n", "\t\tif !v.Deleted && first < 0 {\n\t\t\tfirst = i\n",
		map[string]string{"pipeline/keep": "TestTheVersion"},
	},

	// Reading of files.
	{
		"a file of the same size is not seen to change while it is read", "pipeline/source/files/read.go",
		"if f.begun.Size == now.Size && f.begun.Mtim == now.Mtim && f.begun.Ctim == now.Ctim && f.at >= now.Size {", "if f.begun.Size == now.Size && f.at >= now.Size {",
		map[string]string{"pipeline/source/files": "TestConformance|TestAFileThatChanges"},
	},
	{
		"a file that changed while it was read is believed at the next backup", "pipeline/backup/capture.go",
		"e.Fuzzy = true", "e.Fuzzy = false",
		map[string]string{"pipeline": "TestContentThatChanges"},
	},
	{
		"a file counts as unchanged whatever its change time says", "catalog/entry/entry.go",
		"(before.ChangeTime == now.ChangeTime || before.ChangeTime.IsZero() || now.ChangeTime.IsZero()) &&", "(before.ChangeTime != now.ChangeTime || true) &&",
		map[string]string{"catalog/entry": "TestUnchanged"},
	},
	{
		"a file counts as unchanged though it is another one", "catalog/entry/entry.go",
		"sameIfKnown(before.Inode, now.Inode) &&", "(sameIfKnown(before.Inode, now.Inode) || true) &&",
		map[string]string{"catalog/entry": "TestUnchanged"},
	},
	{
		"files are names of one since a server gives both one number", "pipeline/backup/capture.go",
		"later := known && entry.Unchanged(&it.shared.listed, &it.node.Entry)", "later := known",
		map[string]string{"pipeline": "TestFilesOfOneNumber"},
	},
	{
		"what could not be read is not marked", "pipeline/backup/capture.go",
		"v.Leave(path, entry.Unreadable)", "_ = path",
		map[string]string{"pipeline": "TestABackupMarks|TestWhatAWalk"},
	},
	{
		"a file that could not be read is not missed", "pipeline/backup/capture.go",
		"c.missed(it.node.Path, err)", "_ = err",
		map[string]string{"pipeline": "TestAFileThatCannotBeRead"},
	},
	{
		"data is taken for a hole", "pipeline/source/files/read.go",
		"return max(0, f.data-f.at)", "return max(0, f.gap-f.at)",
		map[string]string{"pipeline/source/files": "TestSparse", "pipeline": "TestHoles"},
	},
	{
		"data before a hole is left out", "pipeline/backup/cut.go",
		"if hole < leftOut*chunk || !chunker.AllZero(rest) {", "if hole < leftOut*chunk || len(rest) > 0 && chunker.AllZero(nil) == false {",
		map[string]string{"pipeline": "TestHoles|TestAHole|TestWhatIsNoHole"},
	},
	{
		"a folder without its mount becomes a snapshot", "pipeline/source/files/guard.go",
		"case was == \"\" && point != \"\" && !r.isMounted(point):", "case was == \"\" && point == \"/\" && !r.isMounted(point):",
		map[string]string{"pipeline/source/files": "TestARoot"},
	},
	{
		"a command that failed counts as read", "pipeline/source/command/command.go",
		"if err := f.wait(); err != nil {", "if err := f.wait(); err != nil && f.size == 0 {",
		map[string]string{"pipeline/source/command": "TestAFailed"},
	},
	{
		"what changed just before an interruption is taken over", "pipeline/backup/unfinished.go",
		"!e.ModTime.Time().Add(settled).Before(time.Unix(was.At, 0))", "e.ModTime.Time().Add(settled).IsZero()",
		map[string]string{"pipeline": "Test.*Interrupt"},
	},
	{
		"what an interrupted backup has left is believed without its sum", "catalog/unfinished.go",
		"crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {", "crc32.Checksum(body, castagnoli) == 0 && n > 0 {",
		map[string]string{"catalog": "TestWhatWasCaptured|TestWhatALaterRun", "pipeline": "Test.*Interrupt"},
	},

	// Restore.
	{
		"names of one file come back as copies", "pipeline/restore/write.go",
		"\tcase later:\n", "\tcase later && n.Type != entry.File:\n",
		map[string]string{"pipeline": "TestGenerated|TestRandomRounds|Test.*Name", "cmd/packstone": "TestScripts/^(restore)$"},
	},
	{
		"a file comes back with the content of another of its number", "pipeline/restore/kept.go",
		"content.Write(n.Chunks[i].ID[:])", "content.Write(n.Chunks[i].ID[:0])",
		map[string]string{"pipeline": "TestFilesOfOneNumber"},
	},
	{
		"the last name of a file is missing", "pipeline/restore/write.go",
		"for _, l := range links {", "for _, l := range links[:max(0, len(links)-1)] {",
		map[string]string{"pipeline": "TestGenerated|TestRandomRounds", "cmd/packstone": "TestScripts/^(restore)$"},
	},
	{
		"attributes do not come back", "pipeline/target/directory/metadata.go",
		"t.setXattrs(o, e, false)", "_ = acl",
		map[string]string{"pipeline/target/directory": "TestConformance|TestATreeComesBack"},
	},
	{
		"access lists do not come back", "pipeline/target/directory/metadata.go",
		"\tif acl {\n", "\tif acl && o == nil {\n",
		map[string]string{"pipeline/target/directory": "TestACLs|TestAnACL"},
	},
	{
		"set-id bits are lost with a change of owner", "pipeline/target/directory/metadata.go",
		"|| changed && mode&setIDs != 0) {", ") {",
		map[string]string{"pipeline/target/directory": "TestAFileThatGets"},
	},
	{
		"set-id bits lend the rights of the wrong owner", "pipeline/target/directory/metadata.go",
		"\tif !owned {\n", "\tif !owned && changed {\n",
		map[string]string{"pipeline/target/directory": "TestWhatBelongs"},
	},
	{
		"the end of a file's data is not written before a hole", "pipeline/target/directory/create.go",
		"min(end, x.Offset+x.Length)\n", "min(end, x.Offset+x.Length-1)\n",
		map[string]string{"pipeline/target/directory": "TestConformance|TestHoles"},
	},
	{
		"a link in the target leads outside", "pipeline/local/open_linux.go",
		"Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_BENEATH}", "Resolve: 0}",
		map[string]string{"pipeline/target/directory": "TestLinksInTheTarget|TestADirectoryThatBecomes"},
	},
	{
		"--delete removes what lies outside its paths", "pipeline/restore/surplus.go",
		"case above.unknown, !p.scope.inside(f.Path), f.own != nil,", "case above.unknown, f.own != nil,",
		map[string]string{"pipeline": "TestDeleteRemoves"},
	},
	{
		"--delete removes a repository", "pipeline/restore/restore.go",
		"r.doomed.without(r.repositories)", "_ = r.repositories",
		map[string]string{"pipeline": "TestDeleteRemoves"},
	},
	{
		"--delete counts what lies in a repository", "pipeline/restore/surplus.go",
		"l.unknown, l.doomed = true, 0", "l.doomed = 0",
		map[string]string{"pipeline": "TestDeleteRemoves"},
	},
	{
		"--verify reads nothing", "pipeline/restore/verify.go",
		"return k == len(*buffer) && archive.ID(r.fetch.IDs.Sum(*buffer)) == c.ID, nil", "return k == len(*buffer), nil",
		map[string]string{"pipeline": "TestVerifyFinds"},
	},
	{
		"--verify takes a file that is too long", "pipeline/restore/verify.go",
		"file.ReadAt(beyond[:], offset); k > 0 {", "file.ReadAt(beyond[:], offset); k < 0 {",
		map[string]string{"pipeline": "TestVerifyFinds"},
	},
	{
		"a large file is put together from what is there unseen", "pipeline/restore/reuse.go",
		"return *buffer, n == len(*buffer) && archive.ID(r.fetch.IDs.Sum(*buffer)) == c.ID", "return *buffer, n == len(*buffer)",
		map[string]string{"pipeline": "TestARestoreOver"},
	},
	{
		"a chunk of another length is taken from elsewhere", "pipeline/fetch/elsewhere.go",
		"|| other.Length != c.Length {", "{",
		map[string]string{"pipeline": "TestAChunkIs"},
	},
	{
		"a file is longer than its chunks", "pipeline/restore/write.go",
		"if err := n.CheckContent(); err != nil {", "if err := n.CheckContent(); err != nil && n.Size > 1<<30 {",
		map[string]string{"pipeline": "TestAFileThatIsLonger"},
	},
	{
		"a copy that lacks something takes the place of what is overwritten", "pipeline/platform/safety.go",
		"if !s.Complete() {", "if !s.Complete() && len(s.Sources) == 0 {",
		map[string]string{"cmd/packstone": "TestScripts/^(platform-safety)$"},
	},
	{
		"what was there is dropped before its name is free", "pipeline/platform/swap.go",
		"if err := swap.Exchange(ctx, before, p.Database.Fresh); err != nil {", "if err := swap.Exchange(ctx, \"\", p.Database.Fresh); err != nil {",
		map[string]string{"cmd/packstone": "TestScripts/^(platform)$"},
	},
	{
		"an undo leaves what came where nothing was", "pipeline/platform/undo.go",
		"removed, err := place.clear(ctx, spot.Before)", "removed, err := uint64(0), ctx.Err()",
		map[string]string{"cmd/packstone": "TestScripts/^(platform)$"},
	},
	{
		"an undo does not keep the restored database", "pipeline/platform/undo.go",
		"swap.Exchange(ctx, p.Database.Undone, before)", "swap.Exchange(ctx, \"\", before)",
		map[string]string{"cmd/packstone": "TestScripts/^(platform|platform-engines)$"},
	},
	{
		"a capability that the snapshot lacks stays", "pipeline/target/directory/metadata.go",
		" || name == capability", "",
		map[string]string{"pipeline/target/directory": "TestACapability"},
	},
	{
		"files of a restore that runs are taken for leftovers", "pipeline/target/directory/temporary.go",
		"return err == nil && free, nil", "return err == nil && (free || true), nil",
		map[string]string{"pipeline/target/directory": "TestLeftovers"},
	},

	// Check, repair, copy, rewrite.
	{
		"check passes over the only fault of a pack", "pipeline/check/packs.go",
		"\tif len(problems) == 0 {\n", "\tif len(problems) < 2 {\n",
		map[string]string{"pipeline": "TestAPackUnderAWrongId|TestAnyFlippedByte"},
	},
	{
		"check reads no trees", "pipeline/check/check.go",
		"c.checkTrees, c.tellLost,", "c.tellLost,",
		map[string]string{"pipeline": "TestAnyFlippedByte|TestAFileThatIsLonger|TestACheckOfMany|TestRefsOfALater"},
	},
	{
		"what a repair has stored again is collected", "catalog/moves.go",
		"\t\t\t\t\tall.Union(copies)\n", "",
		map[string]string{"pipeline": "TestWhatWasMended"},
	},
	{
		"a roll-up drops what a repair has stored again", "catalog/rollup.go",
		"if len(rec.Heals) > 0 || m.concern(named) {", "if m.concern(named) {",
		map[string]string{"pipeline": "TestWhatWasMended"},
	},
	{
		"a repair takes any bytes that a copy has", "pipeline/check/content.go",
		"archive.ID(ids.Sum(data)) != want[i].Chunk.ID", "archive.ID(ids.Sum(data)) == (archive.ID{})",
		map[string]string{"pipeline": "TestOnlyTheSameBytes"},
	},
	{
		"a repair tries one position of a chunk", "pipeline/check/content.go",
		"for k := range mostSpots {", "for k := range 1 {",
		map[string]string{"pipeline": "TestOnlyTheSameBytes"},
	},
	{
		"check takes what a tree newly needs as listed", "pipeline/check/follow.go",
		"if !named(now.refs, difference.Come[i].Place) {", "if named(now.refs, difference.Come[i].Place) && false {",
		map[string]string{"pipeline": "TestRefsOfALater"},
	},
	{
		"check finds no page that the refs lack", "pipeline/check/trees.go",
		"if !named(now.refs, page.Chunk.Place) {", "if page.Chunk.Place.Pack == nil && !named(now.refs, page.Chunk.Place) {",
		map[string]string{"pipeline": "TestACheckOfMany|TestRefsOfALater|Test.*Refs"},
	},
	{
		"a missing pack is not found", "pipeline/check/check.go",
		"\tcase !there:\n", "\tcase !there && pack != nil:\n",
		map[string]string{"pipeline": "TestAMirror|Test.*Missing|TestACheck"},
	},
	{
		"a pack that proved damaged stays verified", "pipeline/check/attest.go",
		"there[t.said] = c.isThere(name) && !c.report.Bad[name]", "there[t.said] = c.isThere(name)",
		map[string]string{"pipeline": "Test.*Verif|Test.*Attest|TestNights"},
	},
	{
		"a copy takes what has changed for the same", "pipeline/copy/original.go",
		"return c.now == nil || c.now.Path != path, nil", "return c.now == nil || path != \"\", nil",
		map[string]string{"pipeline": "TestACopy|TestGenerated"},
	},
	{
		"a copy does not know what its original could not read", "pipeline/copy/original.go",
		"source.Leave(w.to, n.Path, n.Unknown)", "_ = n.Unknown",
		map[string]string{"pipeline": "TestACopy|Test.*Mark"},
	},
	{
		"a copy that lacks bytes of a file is made", "pipeline/backup/copied.go",
		"case out.size != it.node.Size:", "case out.size > it.node.Size:",
		map[string]string{"pipeline": "TestAFileThatLacks"},
	},
	{
		"a snapshot that is made anew forgets what was not read", "pipeline/rewrite/make.go",
		"tree.OpenOptions{Marks: true}).All(ctx, \"\")", "tree.OpenOptions{}).All(ctx, \"\")",
		map[string]string{"pipeline": "TestMarks"},
	},
	{
		"a snapshot that is made anew names not all that it needs", "pipeline/rewrite/make.go",
		"AddNeeds(ctx, m.refs); err != nil {", "AddNeeds(ctx, &archive.RefSet{}); err != nil {",
		map[string]string{"pipeline": "TestWhatIsLeftOutOfSnapshots|TestASnapshotIsMadeAnew"},
	},

	// Databases.
	{
		"tables of PostgreSQL are read at different moments", "pipeline/database/postgres/source.go",
		`"SET TRANSACTION SNAPSHOT '"+s.snapshot+"'"`, `"SELECT '"+s.snapshot+"'"`,
		map[string]string{"pipeline/database/postgres": "TestWhatComesAfter"},
	},
	{
		"an empty text of PostgreSQL comes back as null", "pipeline/database/postgres/textout.go",
		"case string(data) == `\\N`:", "case string(data) == `\\N`, len(data) == 0:",
		map[string]string{"pipeline/database/postgres": "TestText|TestPostgresInto"},
	},
	{
		"the year of a time before Christ loses its sign", "pipeline/database/postgres/textout.go",
		"*scratch = append(*scratch, f[len(text):]...)", "_ = text",
		map[string]string{"pipeline/database/postgres": "TestText|TestPostgresInto|TestPostgresThrough"},
	},
	{
		"a counter of PostgreSQL gives out a number twice", "pipeline/database/postgres/source.go",
		"q.Last, q.Called = *last, true", "q.Last, q.Called = *last, false",
		map[string]string{"pipeline/database/postgres": "TestPostgresInto|TestPostgresThrough"},
	},
	{
		"tables of MariaDB are read at different moments", "pipeline/database/mysql/source.go",
		"\"START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY\"", "\"START TRANSACTION READ ONLY\"",
		map[string]string{"pipeline/database/mysql": "TestParallelReaders"},
	},
	{
		"the last digits of a float of MariaDB are lost", "pipeline/database/mysql/rows.go",
		"name += \"*1e0\"", "name += \"\"",
		map[string]string{"pipeline/database/mysql": "TestValues|TestMariaDBPasses|TestNeutralCopy"},
	},
	{
		"a last batch of one row is dropped", "pipeline/database/sqlengine/rows.go",
		"if batch.Len() == 0 {", "if batch.Len() < 2 {",
		map[string]string{"pipeline/database/sqlengine": "Test", "pipeline/database/oracle": "Test", "pipeline/database/sqlserver": "Test"},
	},
	{
		"a row of MariaDB is dropped at the end of a table", "pipeline/database/mysql/rows.go",
		"if err != nil || batch.Len() == 0 {", "if err != nil || batch.Len() < 2 {",
		map[string]string{"pipeline/database/mysql": "TestTheLastRows"},
	},
	{
		"altered rows come back", "pipeline/database/rows/read.go",
		"|| r.digest != sum.Digest() {", "{",
		map[string]string{"pipeline/database/rows": "TestAltered"},
	},
	{
		"what was written to a database is not compared", "pipeline/database/convert/finish.go",
		"wrong[i] = echo.Differs(t.ID(), want.Echo)", "_, wrong[i] = want, echo.Differs(t.ID(), echo)",
		map[string]string{"pipeline/database/convert": "TestACopyThatReads", "pipeline/database/oracle": "TestAWrongCopy"},
	},
	{
		"zeros that belong to a time are cut off", "pipeline/database/sqlite/encoding.go",
		"for cut > start && text[cut-1] == '0' {", "for cut > start && text[cut-1] >= '0' {",
		map[string]string{"pipeline/database/sqlite": "TestSQLitePasses|TestPortable|TestPagesHold"},
	},
	{
		"a decimal loses digits without a word", "pipeline/database/sqlite/encoding.go",
		"if !bytes.Equal(c.scratch, text) {", "if len(c.scratch) == 0 && !bytes.Equal(c.scratch, text) {",
		map[string]string{"pipeline/database/sqlite": "TestADecimalThat"},
	},
	{
		"the next number of a SQLite table was given before", "pipeline/database/sqlite/target.go",
		"l.name, q.Next()-1); err != nil {", "l.name, q.Next()-2); err != nil {",
		map[string]string{"pipeline/database/sqlite": "TestSQLitePasses|TestNumbers|TestPortable"},
	},
	{
		"a password is printed with an error", "pipeline/database/location.go",
		"l.String() + \": \" + l.scrub(err.Error())", "l.String() + \": \" + err.Error()",
		map[string]string{"pipeline/database": "TestLocations|TestPassword"},
	},

	// The lake.
	{
		"parts of two contents become one object", "pipeline/remote/s3/read.go",
		"r.ref.ETag = r.object.ETag", "_ = r.object.ETag",
		map[string]string{"pipeline/source/lake": "TestAnObject"},
	},
	{
		"an object that ended early counts as read", "pipeline/source/lake/open.go",
		"if f.reader.Offset() != o.Size {", "if f.reader.Offset() > o.Size {",
		map[string]string{"pipeline/source/lake": "TestAnObject"},
	},
	{
		"an object that lacks a part counts as stored", "pipeline/remote/s3/put.go",
		"if there.Size != size {", "if there.Size > size {",
		map[string]string{"pipeline/remote/s3": "TestAnObjectOfParts"},
	},

	// What is told.
	{
		"a backup that missed files ends with 0", "cmd/packstone/backup.go",
		"return exitWith(exitMissing, \"%s missing or changed during the backup (listed above)\"", "return exitWith(exitDone, \"%s missing or changed during the backup (listed above)\"",
		map[string]string{"cmd/packstone": "TestScripts/^(unreadable)$"},
	},
	{
		"a restore that lacks entries ends with 0", "cmd/packstone/restorerun.go",
		"return exitWith(exitMissing, \"%s not restored (listed above)\"", "return exitWith(exitDone, \"%s not restored (listed above)\"",
		map[string]string{"cmd/packstone": "TestScripts/^(restore-refused|damage|restore-unknown)$"},
	},
	{
		"a check that finds damage ends with 0", "cmd/packstone/check.go",
		"exitWith(exitIntegrity, \"found %s (listed above); packstone repair", "exitWith(exitDone, \"found %s (listed above); packstone repair",
		map[string]string{"cmd/packstone": "TestScripts/^(damage)$"},
	},
	{
		"a copy that leaves out what is damaged ends with 0", "cmd/packstone/copy.go",
		"exitWith(exitIntegrity, \"%s damaged, and not copied", "exitWith(exitDone, \"%s damaged, and not copied",
		map[string]string{"cmd/packstone": "TestScripts/^(copy)$"},
	},
	{
		"a restore that leaves out damaged files ends with 0", "cmd/packstone/restorerun.go",
		"exitWith(exitIntegrity, \"%s not restored, since", "exitWith(exitDone, \"%s not restored, since",
		map[string]string{"cmd/packstone": "TestScripts/^(damage)$"},
	},
	{
		"tables that differ end with 0", "cmd/packstone/dbdiff.go",
		"exitWith(exitIntegrity, \"%s of %d differ\"", "exitWith(exitDone, \"%s of %d differ\"",
		map[string]string{"cmd/packstone": "TestScripts/^(db-diff)$"},
	},
	{
		"a late backup ends with 0", "cmd/packstone/status.go",
		"exitWith(exitMissing, \"late: %s\"", "exitWith(exitDone, \"late: %s\"",
		map[string]string{"cmd/packstone": "TestScripts/^(watch)$"},
	},
	{
		"a repair that leaves problems ends with 0", "cmd/packstone/repair.go",
		"exitWith(exitIntegrity, \"%s left (listed above)\"", "exitWith(exitDone, \"%s left (listed above)\"",
		map[string]string{"cmd/packstone": "TestScripts/^(repair)$"},
	},
	{
		"sources that do not fit together end with 0", "cmd/packstone/backup.go",
		"exitWith(exitDrill, \"the sources do not fit", "exitWith(exitDone, \"the sources do not fit",
		map[string]string{"cmd/packstone": "TestScripts/^(references)$"},
	},
	{
		"a tar that lacks attributes ends with 0", "cmd/packstone/dump.go",
		"exitWith(exitMissing, \"%s not in the tar", "exitWith(exitDone, \"%s not in the tar",
		map[string]string{"cmd/packstone": "TestScripts/^(dump-attributes)$"},
	},
	{
		"a restore without all metadata ends with 0", "cmd/packstone/restorerun.go",
		"exitWith(exitMissing, \"%s restored without all", "exitWith(exitDone, \"%s restored without all",
		map[string]string{"cmd/packstone": "TestScripts/^(restore-metadata)$"},
	},
	{
		"files that were lost to an undo are not told by its end", "cmd/packstone/restoreplatform.go",
		"exitWith(exitMissing, \"files of %s were overwritten", "exitWith(exitDone, \"files of %s were overwritten",
		map[string]string{"cmd/packstone": "TestScripts/^(platform-safety)$"},
	},
}
