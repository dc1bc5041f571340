package crypto

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write golden files that do not exist yet")

// golden compares with a file of testdata that must never change.
func golden(t *testing.T, name, got string) {
	t.Helper()
	want, err := os.ReadFile("testdata/" + name)
	if os.IsNotExist(err) && *update {
		want, err = []byte(got), os.WriteFile("testdata/"+name, []byte(got), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("testdata/%s:\n got  %s\n want %s", name, got, want)
	}
}

func countingSecret() []byte {
	secret := make([]byte, DomainSize)
	for i := range secret {
		secret[i] = byte(i)
	}
	return secret
}

func TestDerivedKeysNeverChange(t *testing.T) {
	var b strings.Builder
	for _, origin := range []string{testRepository, "another"} {
		d, err := OpenDomain(origin, countingSecret())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "origin %s, secret %x\n", origin, countingSecret())
		for _, info := range []string{infoData, infoTree, infoPage, infoChunker, infoIndexHybrid, infoIndexClassic} {
			fmt.Fprintf(&b, "%s: %x\n", info, d.derive(info))
		}
		fmt.Fprintf(&b, "data id of \"abc\": %x\n", d.DataID().Sum([]byte("abc")))
		fmt.Fprintf(&b, "tree id of \"abc\": %x\n", d.TreeID().Sum([]byte("abc")))
		fmt.Fprintf(&b, "page hash of \"abc\": %x\n", NewIDKey(d.PageKey()).Sum([]byte("abc")))
		fmt.Fprintf(&b, "chunker key: %x\n", d.ChunkerKey())
		for _, classic := range []bool{false, true} {
			identity, recipient, err := d.IndexIdentity(classic)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "index identity: %s\nindex recipient: %s\n", identity, recipient)
		}
	}
	golden(t, "derived-v1.txt", b.String())
}

func TestKeysOfOneDomainDiffer(t *testing.T) {
	d := testDomain(t)
	seen := map[string]string{}
	for _, info := range []string{infoData, infoTree, infoPage, infoChunker, infoIndexHybrid, infoIndexClassic} {
		key := string(keyOf(d, info))
		if other, double := seen[key]; double {
			t.Errorf("%q and %q give the same key", info, other)
		}
		seen[key] = info
	}
	elsewhere, err := OpenDomain("elsewhere", d.Secret().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(keyOf(d, infoData), keyOf(elsewhere, infoData)) {
		t.Error("the same secret gives the same keys for another origin")
	}
	for _, secret := range [][]byte{nil, make([]byte, 31), make([]byte, 33)} {
		if _, err := OpenDomain(testRepository, secret); err == nil {
			t.Errorf("a domain opens with a secret of %d bytes", len(secret))
		}
	}
}

const (
	goldenSigner = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
	goldenBody   = "kind: commit\nprevious: 2f1c\ntime: 2026-11-20T14:00:00Z\n"
)

// Ed25519 signatures are deterministic, so a note is too. The key is the published example of Go's
// checksum database.
func TestNotesNeverChange(t *testing.T) {
	signer, err := ParseSigner(goldenSigner)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := signer.Verifier().Text(), "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"; got != want {
		t.Errorf("public key is %s, want %s", got, want)
	}
	signed, err := signer.Sign(testRepository, "log/host-1.0/17", []byte(goldenBody))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "note-v1.txt", string(signed))
}

// These files were sealed once; every later version must open them.
func TestGoldenFilesOpen(t *testing.T) {
	d, err := OpenDomain(testRepository, countingSecret())
	if err != nil {
		t.Fatal(err)
	}
	plain := testBytes(SegmentSize + 100)
	for name, classic := range map[string]bool{"sealed-hybrid-v1.age": false, "sealed-classic-v1.age": true} {
		identity, recipient, err := d.IndexIdentity(classic)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := os.ReadFile("testdata/" + name)
		if os.IsNotExist(err) && *update {
			if sealed, err = Seal(nil, plain, recipient); err == nil {
				err = os.WriteFile("testdata/"+name, sealed, 0o644)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := Open(nil, sealed, identity)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s: opened %d bytes, %v", name, len(got), err)
		}
	}
}

func TestGoldenKeyFilesRead(t *testing.T) {
	for name, read := range map[string]func(*os.File) error{
		"writer-v1.key":    func(f *os.File) error { _, err := ParseWriterFile(f); return err },
		"collector-v1.key": func(f *os.File) error { _, err := ParseCollectorFile(f); return err },
	} {
		f, err := os.Open("testdata/" + name)
		if os.IsNotExist(err) && *update {
			f, err = writeGoldenKeyFile(t, name)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := read(f); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func writeGoldenKeyFile(t *testing.T, name string) (*os.File, error) {
	text, err := testWriterFile(t, false).Encode()
	if strings.HasPrefix(name, "collector") {
		text, err = testCollectorFile(t).Encode()
	}
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile("testdata/"+name, text, 0o644); err != nil {
		return nil, err
	}
	return os.Open("testdata/" + name)
}
