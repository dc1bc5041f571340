package crypto

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

const testBody = "kind: commit\nprevious: 00\n\nsealed: abc\n"

func TestNotesVerifyInTheirPlace(t *testing.T) {
	signer, other := testSigner(t, "host-1"), testSigner(t, "host-2")
	for _, body := range []string{"", "\n", "\n\n", testBody, "— not a signature\n", "größer\n", testBody + "\n\n"} {
		signed, err := signer.Sign(testRepository, "log/host-1.0/17", []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		got, by, err := Verify(testRepository, "log/host-1.0/17", signed, other.Verifier(), signer.Verifier())
		if err != nil || string(got) != body || by.Text() != signer.Verifier().Text() {
			t.Errorf("body %q: got %q by %v, %v", body, got, by, err)
		}
		if want := "packstone/v1/" + testRepository + "/log/host-1.0/17\n" + body; !strings.HasPrefix(string(signed), want) {
			t.Errorf("note starts %.80q, want %q", signed, want)
		}
		verifier, err := note.NewVerifier(signer.Verifier().Text())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := note.Open(signed, note.VerifierList(verifier)); err != nil {
			t.Errorf("body %q: not a standard note: %v", body, err)
		}
	}
}

func TestNotesFailElsewhereAndUnderOtherKeys(t *testing.T) {
	signer, namesake := testSigner(t, "host-1"), testSigner(t, "host-1")
	signed, err := signer.Sign(testRepository, "log/host-1.0/17", []byte(testBody))
	if err != nil {
		t.Fatal(err)
	}
	me := signer.Verifier()
	for name, check := range map[string]func() error{
		"another repository": func() error { _, _, err := Verify("other", "log/host-1.0/17", signed, me); return err },
		"another object":     func() error { _, _, err := Verify(testRepository, "log/host-1.0/1", signed, me); return err },
		"a longer object":    func() error { _, _, err := Verify(testRepository, "log/host-1.0/171", signed, me); return err },
		"a namesake": func() error {
			_, _, err := Verify(testRepository, "log/host-1.0/17", signed, namesake.Verifier())
			return err
		},
		"no verifier":      func() error { _, _, err := Verify(testRepository, "log/host-1.0/17", signed); return err },
		"the zero key":     func() error { _, _, err := Verify(testRepository, "log/host-1.0/17", signed, Verifier{}); return err },
		"nothing":          func() error { _, _, err := Verify(testRepository, "log/host-1.0/17", nil, me); return err },
		"a second line":    func() error { return verifyWith(signed, me, "\n\n— ", "\nmore\n\n— ") },
		"a second newline": func() error { return verifyWith(signed, me, "\n— ", "\n\n— ") },
	} {
		if err := check(); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v, want ErrSignature", name, err)
		}
	}
}

func verifyWith(signed []byte, by Verifier, old, new string) error {
	changed := bytes.Replace(signed, []byte(old), []byte(new), 1)
	_, _, err := Verify(testRepository, "log/host-1.0/17", changed, by)
	return err
}

// A record's hash names it, so no second encoding may verify.
func TestNoOtherBytesVerify(t *testing.T) {
	signer, other := testSigner(t, "w"), testSigner(t, "other")
	signed, err := signer.Sign(testRepository, "gc/1/sweep", []byte("a\nb\n"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range signed {
		for bit := range 8 {
			changed := bytes.Clone(signed)
			changed[i] ^= 1 << bit
			if _, _, err := Verify(testRepository, "gc/1/sweep", changed, signer.Verifier()); err == nil {
				t.Errorf("verifies with bit %d of byte %d changed", bit, i)
			}
		}
	}
	line := signed[bytes.LastIndex(signed, []byte("— ")):]
	foreign, err := other.Sign(testRepository, "gc/1/sweep", []byte("a\nb\n"))
	if err != nil {
		t.Fatal(err)
	}
	second := foreign[bytes.LastIndex(foreign, []byte("— ")):]
	for name, tail := range map[string][]byte{"signature twice": line, "another signature": second, "a newline": []byte("\n")} {
		if _, _, err := Verify(testRepository, "gc/1/sweep", append(bytes.Clone(signed), tail...), signer.Verifier()); !errors.Is(err, ErrSignature) {
			t.Errorf("with %s more: %v, want ErrSignature", name, err)
		}
	}
}

func TestSignRefusesWhatNoNoteCanHold(t *testing.T) {
	signer := testSigner(t, "w")
	for name, c := range map[string][3]string{
		"no newline":          {"r", "o", "body"},
		"a carriage return":   {"r", "o", "body\r\n"},
		"invalid UTF-8":       {"r", "o", "\xff\n"},
		"a slash in the id":   {"r/s", "o", "body\n"},
		"an empty id":         {"", "o", "body\n"},
		"an empty name":       {"r", "", "body\n"},
		"a newline in a name": {"r", "o\np", "body\n"},
		"a long name":         {"r", strings.Repeat("x", 600), "body\n"},
	} {
		if signed, err := signer.Sign(c[0], c[1], []byte(c[2])); err == nil {
			t.Errorf("%s: signed %q", name, signed)
		}
	}
	if _, err := (Signer{}).Sign("r", "o", nil); err == nil {
		t.Error("the zero Signer signs")
	}
	for _, name := range []string{"", "a b", "a+b", "a/b", "ä", strings.Repeat("n", 200)} {
		if _, err := GenerateSigner(name); err == nil {
			t.Errorf("a signer is named %q", name)
		}
	}
}

func TestSigningKeysComeBackFromText(t *testing.T) {
	signer := testSigner(t, "host-1.example")
	again, err := ParseSigner(" " + string(signer.Secret().Bytes()) + "\n")
	if err != nil || again.Verifier().Text() != signer.Verifier().Text() || again.Name() != "host-1.example" {
		t.Fatalf("signer comes back as %v, %v, want %v", again, err, signer)
	}
	verifier, err := ParseVerifier(signer.Verifier().Text() + "\n")
	if err != nil || !verifier.Equal(signer.Verifier()) || verifier.Equal(Verifier{}) || verifier.Fingerprint() != signer.Verifier().Fingerprint() {
		t.Errorf("verifier comes back as %v, %v", verifier, err)
	}
	text := signer.Verifier().Text()
	name, rest, _ := strings.Cut(text, "+")
	for _, bad := range []string{"", "x", text[1:], text[:len(text)-1], name + "+00000000" + rest[8:], text[:40] + "\n" + text[40:], text + " x"} {
		if v, err := ParseVerifier(bad); err == nil {
			t.Errorf("public key %q reads as %v", bad, v)
		}
	}
	secret := string(signer.Secret().Bytes())
	for _, bad := range []string{"", text, secret[1:], secret[:len(secret)-2]} {
		if _, err := ParseSigner(bad); err == nil || strings.Contains(err.Error(), secret[len(secret)-20:]) {
			t.Errorf("bad signing key: %v", err)
		}
	}
}

func TestFingerprintsComeBackHoweverTheyAreGrouped(t *testing.T) {
	key := testSigner(t, "owner").Verifier()
	want := key.Fingerprint()
	plain := strings.ReplaceAll(want.String(), " ", "")
	for _, text := range []string{want.String(), plain, strings.ToUpper(plain), strings.ReplaceAll(want.String(), " ", ":"), " " + plain + " ", key.Text()} {
		if got, err := ParseFingerprint(text); err != nil || got != want {
			t.Errorf("%q reads as %v, %v, want %v", text, got, err, want)
		}
	}
	for _, bad := range []string{"", plain[1:], plain + "0", plain + plain, "g" + plain[1:], "owner+" + plain, "é" + plain} {
		if got, err := ParseFingerprint(bad); err == nil || got != (Fingerprint{}) {
			t.Errorf("%q reads as %v, %v, want an error", bad, got, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	signer := testSigner(f, "w")
	signed, err := signer.Sign(testRepository, "log/w.0/1", []byte(testBody))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Add(signed[:60])
	f.Add([]byte("packstone/v1/" + testRepository + "/log/w.0/1\n\n— w AAAAAAAA\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		body, _, err := Verify(testRepository, "log/w.0/1", data, signer.Verifier())
		if err == nil && !bytes.Equal(data, signed) {
			t.Fatalf("verifies: %q with body %q", data, body)
		}
		ParseVerifier(string(data))
		ParseSigner(string(data))
	})
}

func BenchmarkVerify(b *testing.B) {
	signer := testSigner(b, "w")
	var body bytes.Buffer
	for i := range 50 {
		fmt.Fprintf(&body, "index: %064x\n", i)
	}
	signed, err := signer.Sign(testRepository, "log/w.0/1", body.Bytes())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Verify(testRepository, "log/w.0/1", signed, signer.Verifier()); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzKeysAsText reads public keys and fingerprints. What is taken is written so that it is read as
// the same, and no error repeats what may be a secret.
func FuzzKeysAsText(f *testing.F) {
	identity, recipient := testIdentity(f, true)
	text, err := RecipientText(recipient)
	if err != nil {
		f.Fatal(err)
	}
	secret := fmt.Sprint(identity)
	signer, err := GenerateSigner("host")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{text, secret, " " + strings.ToLower(secret), signer.Verifier().Text(), signer.Verifier().Fingerprint().String(), "age1pq1", "SHA256:", "host+00000000+AA==", text + "\n# c\n" + text} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := ParseRecipient(text); err == nil {
			if again, err := RecipientText(r); err != nil || !strings.EqualFold(again, strings.TrimSpace(text)) {
				t.Errorf("%q is %s, %v", text, again, err)
			}
		} else if IsSecretText(text) && strings.Contains(err.Error(), strings.TrimSpace(text)) && len(strings.TrimSpace(text)) > len(classicKeyPrefix) {
			t.Errorf("%q is repeated: %v", text, err)
		}
		if list, err := ParseRecipients(strings.NewReader(text)); err == nil && len(list) == 0 {
			t.Errorf("%q names nobody", text)
		}
		if v, err := ParseVerifier(text); err == nil {
			if again, err := ParseVerifier(v.Text()); err != nil || !again.Equal(v) || again.Fingerprint() != v.Fingerprint() {
				t.Errorf("%q is %s, and then %s, %v", text, v, again, err)
			}
		}
		if p, err := ParseFingerprint(text); err == nil {
			if again, err := ParseFingerprint(p.String()); err != nil || again != p {
				t.Errorf("%q is %s, and then %s, %v", text, p, again, err)
			}
		}
	})
}
