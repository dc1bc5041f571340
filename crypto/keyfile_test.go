package crypto

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"filippo.io/age"
)

func TestWriterFilesComeBack(t *testing.T) {
	for _, classic := range []bool{false, true} {
		want := testWriterFile(t, classic)
		text, err := want.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseWriterFile(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		again, err := got.Encode()
		if err != nil || !bytes.Equal(again, text) {
			t.Errorf("%s: %v; comes back as\n%s\nwant\n%s", kind(classic), err, again, text)
		}
		if !got.Domain.Secret().Equal(want.Domain.Secret()) || got.Domain.Origin() != testRepository || got.DomainNumber != 3 {
			t.Errorf("%s: domain %d of %s came back changed", kind(classic), got.DomainNumber, got.Domain.Origin())
		}
	}
}

func TestCollectorFilesComeBack(t *testing.T) {
	text, err := testCollectorFile(t).Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseCollectorFile(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := got.Encode(); err != nil || !bytes.Equal(again, text) {
		t.Errorf("%v; comes back as\n%s\nwant\n%s", err, again, text)
	}
}

func TestBadKeyFilesNameTheLineAndNoSecret(t *testing.T) {
	file := testWriterFile(t, true)
	encoded, err := file.Encode()
	if err != nil {
		t.Fatal(err)
	}
	text := string(encoded)
	signing := string(file.Signer.Secret().Bytes())
	for name, c := range map[string]struct{ old, new, want string }{
		"unknown key":      {"domain: 3", "domian: 3", "line 7"},
		"no key":           {"signing-key: ", "", "line 6"},
		"double":           {"classic: true", "classic: true\nclassic: true", "line 6: classic"},
		"missing":          {"domain: 3\n", "", "domain is missing"},
		"not a bool":       {"classic: true", "classic: perhaps", "line 5: classic"},
		"wrong kind":       {"packstone: writer 1", "packstone: writer 2", "line 2"},
		"domain 0":         {"domain: 3", "domain: 0", "line 7: domain"},
		"short secret":     {"domain-secret: ", "domain-secret: AA", "line 9: domain-secret"},
		"bad owner":        {"owner: owner+", "owner: owned+", "line 4: owner"},
		"bad signing key":  {signing, signing[:len(signing)-3], "line 6: signing-key"},
		"not the kind":     {"classic: true", "classic: false", ErrMixed.Error()},
		"a bad recipient":  {"recipient: age1", "recipient: age2", "line 10: recipient"},
		"a bad repository": {"repository: ", "repository: a/", "line 3: repository"},
	} {
		bad := strings.Replace(text, c.old, c.new, 1)
		if bad == text {
			t.Fatalf("%s: %q is not in the file", name, c.old)
		}
		_, err := ParseWriterFile(strings.NewReader(bad))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
			continue
		}
		if strings.Contains(err.Error(), signing[len(signing)-30:len(signing)-10]) {
			t.Errorf("%s: error shows the signing key: %v", name, err)
		}
	}
	if _, err := ParseCollectorFile(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), "collector 1") {
		t.Errorf("writer file as collector file: %v", err)
	}
}

func TestIncompleteKeyFilesAreNotWritten(t *testing.T) {
	for name, change := range map[string]func(*WriterFile){
		"no repository":    func(f *WriterFile) { f.Repository = "" },
		"no signer":        func(f *WriterFile) { f.Signer = Signer{} },
		"no owner":         func(f *WriterFile) { f.Owner = Verifier{} },
		"no domain":        func(f *WriterFile) { f.Domain = Domain{} },
		"domain 0":         func(f *WriterFile) { f.DomainNumber = 0 },
		"no recipients":    func(f *WriterFile) { f.Recipients = nil },
		"other recipients": func(f *WriterFile) { f.Classic = !f.Classic },
	} {
		f := testWriterFile(t, false)
		change(&f)
		if text, err := f.Encode(); err == nil {
			t.Errorf("%s: written as %d bytes", name, len(text))
		}
	}
	collector := testCollectorFile(t)
	collector.Classic = true
	if _, err := collector.Encode(); !errors.Is(err, ErrMixed) {
		t.Errorf("collector with identities of another kind: %v, want ErrMixed", err)
	}
}

func FuzzParseWriterFile(f *testing.F) {
	writer, err := testWriterFile(f, true).Encode()
	if err != nil {
		f.Fatal(err)
	}
	collector, err := testCollectorFile(f).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(writer)
	f.Add(collector)
	f.Add([]byte("packstone: writer 1\nrecipient:\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if file, err := ParseWriterFile(bytes.NewReader(data)); err == nil {
			if _, err := file.Encode(); err != nil {
				t.Fatalf("what was read can't be written: %v", err)
			}
		}
		if file, err := ParseCollectorFile(bytes.NewReader(data)); err == nil {
			if _, err := file.Encode(); err != nil {
				t.Fatalf("what was read can't be written: %v", err)
			}
		}
	})
}

// What a writer holds opens the index, but nothing sealed to the recipients.
func TestAWriterFileOpensIndexesButNoContents(t *testing.T) {
	custodian, recipient := testIdentity(t, false)
	file := testWriterFile(t, false)
	file.Recipients = []age.Recipient{recipient}
	index, indexRecipient, err := file.Domain.IndexIdentity(file.Classic)
	if err != nil {
		t.Fatal(err)
	}
	run, err := Seal(nil, []byte("index run"), indexRecipient)
	if err != nil {
		t.Fatal(err)
	}
	pack, err := Seal(nil, []byte("contents"), file.Recipients...)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Open(nil, run, index); err != nil || string(got) != "index run" {
		t.Errorf("index run opens as %q, %v", got, err)
	}
	if _, err := Open(nil, pack, index); !errors.Is(err, ErrWrongIdentity) {
		t.Errorf("a pack opens with the index identity: %v", err)
	}
	if got, err := Open(nil, pack, custodian); err != nil || string(got) != "contents" {
		t.Errorf("pack opens as %q, %v", got, err)
	}
}
