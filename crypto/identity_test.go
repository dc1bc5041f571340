package crypto

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
)

func TestIdentityFilesComeBack(t *testing.T) {
	hybrid, _ := testIdentity(t, false)
	classic, _ := testIdentity(t, true)
	owner := testSigner(t, "owner").Verifier()
	file := IdentityFile{
		Identities: []age.Identity{hybrid, classic},
		Owners:     []OwnerPin{{"repo-1", owner}, {testRepository, owner}},
	}
	for _, passphrase := range []string{"", "tea, at five"} {
		var out bytes.Buffer
		err := WriteIdentityFile(&out, file, IdentityFileOptions{
			Comments: []string{"move this file away\nto two places"}, Created: time.Unix(1700000000, 0).UTC(),
			Passphrase: passphrase, WorkFactor: 10,
		})
		if err != nil {
			t.Fatal(err)
		}
		if secret := fmt.Sprint(hybrid); strings.Contains(out.String(), secret) != (passphrase == "") {
			t.Errorf("passphrase %q: the secret key shows: %v", passphrase, strings.Contains(out.String(), secret))
		}
		asked := 0
		got, err := ParseIdentities(&out, func() (string, error) { asked++; return passphrase, nil })
		if err != nil {
			t.Fatal(err)
		}
		if asked > 1 || (asked == 1) != (passphrase != "") {
			t.Errorf("passphrase %q: asked %d times", passphrase, asked)
		}
		if len(got.Identities) != 2 || fmt.Sprint(got.Identities[0]) != fmt.Sprint(hybrid) || fmt.Sprint(got.Identities[1]) != fmt.Sprint(classic) {
			t.Errorf("passphrase %q: %d identities came back, and not the same", passphrase, len(got.Identities))
		}
		if fmt.Sprint(got.Owners) != fmt.Sprint(file.Owners) {
			t.Errorf("passphrase %q: owners %v, want %v", passphrase, got.Owners, file.Owners)
		}
	}
}

func TestAgeReadsAPlainIdentityFile(t *testing.T) {
	identity, _ := testIdentity(t, false)
	var out bytes.Buffer
	owners := []OwnerPin{{testRepository, testSigner(t, "owner").Verifier()}}
	if err := WriteIdentityFile(&out, IdentityFile{Identities: []age.Identity{identity}, Owners: owners}, IdentityFileOptions{}); err != nil {
		t.Fatal(err)
	}
	got, err := age.ParseIdentities(&out)
	if err != nil || len(got) != 1 || fmt.Sprint(got[0]) != fmt.Sprint(identity) {
		t.Errorf("age reads %d identities, %v", len(got), err)
	}
}

func TestBinaryProtectedIdentityFilesOpen(t *testing.T) {
	identity, _ := testIdentity(t, true)
	recipient, err := age.NewScryptRecipient("one two")
	if err != nil {
		t.Fatal(err)
	}
	recipient.SetWorkFactor(10)
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, recipient)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(w, "%s\n", identity)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := ParseIdentities(bytes.NewReader(sealed.Bytes()), func() (string, error) { return "one two", nil })
	if err != nil || fmt.Sprint(got.Identities[0]) != fmt.Sprint(identity) {
		t.Errorf("binary file: %v", err)
	}
	if _, err := ParseIdentities(bytes.NewReader(sealed.Bytes()), func() (string, error) { return "one", nil }); !errors.Is(err, ErrWrongIdentity) {
		t.Errorf("wrong passphrase: %v, want ErrWrongIdentity", err)
	}
	if _, err := ParseIdentities(bytes.NewReader(sealed.Bytes()), nil); !errors.Is(err, ErrPassphraseNeeded) {
		t.Errorf("no passphrase: %v, want ErrPassphraseNeeded", err)
	}
	cancelled := errors.New("cancelled")
	if _, err := ParseIdentities(bytes.NewReader(sealed.Bytes()), func() (string, error) { return "", cancelled }); !errors.Is(err, cancelled) {
		t.Errorf("cancelled: %v, want that error", err)
	}
	if _, err := ParseIdentities(bytes.NewReader(sealed.Bytes()[:sealed.Len()-5]), func() (string, error) { return "one two", nil }); err == nil {
		t.Error("a truncated file was read")
	}
}

func TestBadIdentityFilesNameTheLineAndNoSecret(t *testing.T) {
	identity, _ := testIdentity(t, true)
	secret := fmt.Sprint(identity)
	owner := testSigner(t, "owner").Verifier().Text()
	for name, text := range map[string]string{
		"empty":               "",
		"only comments":       "# nothing\n",
		"broken key":          "# a\n\n" + secret[:len(secret)-1] + "\n",
		"a word":              "# a\n\nhello " + secret + "\n",
		"a recipient":         "# a\n\nage1pq1xyz\n",
		"pin without key":     "#\n#\n# packstone owner: abc\n" + secret,
		"pin with a bad key":  "#\n#\n# packstone owner: abc " + owner[:len(owner)-4] + "\n" + secret,
		"pin with a bad name": "#\n#\n# packstone owner: a/bc " + owner + "\n" + secret,
	} {
		_, err := ParseIdentities(strings.NewReader(text), nil)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		if strings.Contains(text, "\n\n") || strings.Contains(text, "owner:") {
			if !strings.Contains(err.Error(), "line 3") {
				t.Errorf("%s: error does not name line 3: %v", name, err)
			}
		}
		if strings.Contains(err.Error(), secret[20:40]) {
			t.Errorf("%s: error shows the secret: %v", name, err)
		}
	}
	if _, err := ParseIdentities(strings.NewReader(strings.Repeat("#\n", largestKeyFile)), nil); err == nil {
		t.Error("an endless file was read")
	}
}

func TestRecipientsOfTwoKindsAreRefused(t *testing.T) {
	_, hybrid := testIdentity(t, false)
	_, classic := testIdentity(t, true)
	both := fmt.Sprintf("# custodians\n%s\n\n%s\n", hybrid, classic)
	if _, err := ParseRecipients(strings.NewReader(both)); !errors.Is(err, ErrMixed) {
		t.Errorf("two kinds: %v, want ErrMixed", err)
	}
	got, err := ParseRecipients(strings.NewReader(fmt.Sprintf("%s\n%s\n", hybrid, hybrid)))
	if err != nil || len(got) != 2 || IsClassic(got[0]) {
		t.Errorf("two hybrid recipients: %d, %v", len(got), err)
	}
	if text, err := RecipientText(got[0]); err != nil || text != fmt.Sprint(hybrid) {
		t.Errorf("text of a recipient: %q, %v", text, err)
	}
	if _, err := ParseRecipients(strings.NewReader("# none\n")); err == nil {
		t.Error("an empty list of recipients was read")
	}
}

func TestASecretKeyAmongRecipientsIsNotRepeated(t *testing.T) {
	identity, _ := testIdentity(t, false)
	secret := fmt.Sprint(identity)
	_, err := ParseRecipients(strings.NewReader("#\n" + secret + "\n"))
	if err == nil || strings.Contains(err.Error(), secret[20:40]) || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("secret key as recipient: %v", err)
	}
}

func FuzzParseIdentities(f *testing.F) {
	identity, recipient := testIdentity(f, true)
	owner := testSigner(f, "owner").Verifier()
	f.Add(fmt.Appendf(nil, "# packstone owner: %s %s\n%s\n", testRepository, owner, identity))
	f.Add(fmt.Appendf(nil, "%s\n", recipient))
	f.Add([]byte("-----BEGIN AGE ENCRYPTED FILE-----\nAAAA\n-----END AGE ENCRYPTED FILE-----\n"))
	f.Add([]byte(ageIntro))
	f.Fuzz(func(t *testing.T, data []byte) {
		// No passphrase: scrypt's work would hide everything else.
		if file, err := ParseIdentities(bytes.NewReader(data), nil); err == nil {
			var out bytes.Buffer
			if err := WriteIdentityFile(&out, *file, IdentityFileOptions{}); err != nil {
				t.Fatalf("what was read can't be written: %v", err)
			}
		}
		ParseRecipients(bytes.NewReader(data))
	})
}
