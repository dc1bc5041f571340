package crypto

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// shows lists everything that common printers make of a value.
func shows(t *testing.T, value any) (texts []string) {
	t.Helper()
	for _, verb := range "vsdxXqtTpbcoOUeEfFgGw" {
		for _, flags := range []string{"", "+", "#", "-20", " "} {
			texts = append(texts, fmt.Sprintf("%"+flags+string(verb), value))
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "value", value)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "value", value)
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatalf("marshal %T: %v", value, err)
	}
	return append(texts, log.String(), string(encoded), fmt.Sprint(value), fmt.Sprintln(value))
}

// spellings lists how secret bytes could show up.
func spellings(secret []byte) []string {
	decimals := fmt.Sprint([]byte(secret))
	return []string{
		string(secret), fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprintf("% x", secret),
		decimals[1 : len(decimals)-1], strings.ReplaceAll(decimals[1:len(decimals)-1], " ", ","),
	}
}

func hides(t *testing.T, value any, secrets ...[]byte) {
	t.Helper()
	for _, text := range shows(t, value) {
		for _, secret := range secrets {
			for _, spelling := range spellings(secret) {
				if strings.Contains(text, spelling) {
					t.Errorf("%T shows its secret: %s", value, text)
				}
			}
		}
	}
}

func TestASecretDoesNotShow(t *testing.T) {
	secret := NewSecret([]byte("correct horse battery"))
	hidden := struct {
		inner Secret
		Outer Secret
		list  []Secret
	}{secret, secret, []Secret{secret}}
	hides(t, secret, secret.Bytes())
	hides(t, &secret, secret.Bytes())
	hides(t, hidden, secret.Bytes())
	hides(t, &hidden, secret.Bytes())
	hides(t, map[string]Secret{"a": secret}, secret.Bytes())
	for _, text := range []string{fmt.Sprint(secret), fmt.Sprintf("%#v", secret), fmt.Sprintf("%x", secret), secret.String()} {
		if text != "[redacted]" {
			t.Errorf("secret prints as %q, want [redacted]", text)
		}
	}
}

func TestSecretsCompareByTheirBytes(t *testing.T) {
	a, b, empty := NewSecret([]byte("a")), NewSecret([]byte("b")), Secret{}
	if !a.Equal(NewSecret([]byte("a"))) || a.Equal(b) || a.Equal(empty) || !empty.Equal(NewSecret(nil)) {
		t.Error("secrets are equal where their bytes differ, or differ where they are equal")
	}
	from := []byte("mine")
	held := NewSecret(from)
	from[0] = 'X'
	if string(held.Bytes()) != "mine" {
		t.Errorf("a secret changes with the bytes it was made from: %q", held.Bytes())
	}
}

func TestHoldersOfSecretsDoNotShowThem(t *testing.T) {
	writer, collector := testWriterFile(t, false), testCollectorFile(t)
	d := writer.Domain
	secrets := [][]byte{d.Secret().Bytes(), writer.Signer.Secret().Bytes()}
	hides(t, d, secrets...)
	hides(t, writer, secrets...)
	hides(t, &writer, secrets...)
	hides(t, writer.Signer, secrets...)
	for _, value := range []any{d.DataID(), d.TreeID(), struct{ key *IDKey }{d.DataID()}} {
		hides(t, value, bytes.Clone(keyOf(d, infoData)), keyOf(d, infoTree))
	}
	index := fmt.Appendf(nil, "%s", collector.Index[1])
	hides(t, collector, index, collector.Signer.Secret().Bytes())
	hides(t, IdentityFile{Identities: collectorIdentities(collector)}, index)
}

func keyOf(d Domain, info string) []byte {
	key := d.derive(info)
	return key[:]
}
