package share

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

var secret = []byte("thirty-three bytes of an identity")

func split(t testing.TB, threshold, total int) []Share {
	t.Helper()
	shares, err := Split(secret, threshold, total)
	if err != nil {
		t.Fatal(err)
	}
	return shares
}

func TestAnyOfTheNeededSharesHaveTheSecretAndFewerNothing(t *testing.T) {
	for _, n := range [][2]int{{2, 2}, {2, 3}, {3, 5}, {5, 5}, {2, Most}} {
		shares := split(t, n[0], n[1])
		tries := 0
		for chosen := range choices(shares, n[0]) {
			tries++
			slices.Reverse(chosen)
			got, wrong, err := Join(chosen)
			if err != nil || !bytes.Equal(got, secret) || len(wrong) > 0 {
				t.Errorf("%v: %v gives %q, %v, %v", n, chosen, got, wrong, err)
			}
			if _, _, err := Join(chosen[1:]); !errors.Is(err, ErrTooFew) {
				t.Errorf("%v: one less gives %v, want %v", n, err, ErrTooFew)
			}
		}
		t.Logf("%d of %d: %d choices", n[0], n[1], tries)
	}
}

// Whatever secret one claims, a second share can be made that gives it together with a true one: so
// the true one says nothing of the secret.
func TestFewerSharesFitAnySecret(t *testing.T) {
	mine := split(t, 2, 3)[0]
	for _, claim := range [][]byte{[]byte("another secret"), secret, {}} {
		claimed, err := scalar(pack(claim))
		if err != nil {
			t.Fatal(err)
		}
		// The line through (0, claimed) and (1, mine) has 2·mine - claimed at 2.
		value, err := scalar(mine.Value[:])
		if err != nil {
			t.Fatal(err)
		}
		value.Add(value, value)
		value.Sub(value, claimed)
		text, err := value.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		made := Share{mine.Set, 2, 2, 3, [ValueSize]byte(text)}
		if got, _, err := Join([]Share{mine, made}); err != nil || !bytes.Equal(got, claim) {
			t.Errorf("got %q, %v, want %q", got, err, claim)
		}
	}
}

func TestWrongSharesAreRefusedAndNamedWhereOthersSuffice(t *testing.T) {
	shares, others := split(t, 2, 4), split(t, 2, 4)
	changed := shares[1]
	changed.Value[40] ^= 1
	disguised := others[2]
	disguised.Set = shares[0].Set
	tests := []struct {
		name   string
		shares []Share
		wrong  []int
		err    string
	}{
		{"one changed", []Share{shares[0], changed}, nil, "do not fit together"},
		{"one changed among enough", []Share{changed, shares[0], shares[3]}, []int{2}, ""},
		{"two wrong among enough", []Share{changed, disguised, shares[0], shares[3]}, []int{2, 3}, ""},
		{"of another set", []Share{shares[0], others[1]}, nil, "share 2 is of another set than share 1"},
		{"of another set with this id", []Share{shares[0], disguised}, nil, "do not fit together"},
		{"twice", []Share{shares[0], shares[0]}, nil, "share 1 is there twice"},
		{"none", nil, nil, "there are none"},
	}
	for _, test := range tests {
		got, wrong, err := Join(test.shares)
		if test.err == "" && (err != nil || !bytes.Equal(got, secret) || !slices.Equal(wrong, test.wrong)) {
			t.Errorf("%s: got %q, %v, %v, want the secret and %v", test.name, got, wrong, err, test.wrong)
		}
		if test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
			t.Errorf("%s: got %q, %v, want %s", test.name, got, err, test.err)
		}
	}
}

func TestSplitsThatMakeNoSenseAreRefused(t *testing.T) {
	for _, n := range [][2]int{{0, 3}, {1, 3}, {4, 3}, {2, Most + 1}, {-1, -1}} {
		if shares, err := Split(secret, n[0], n[1]); err == nil {
			t.Errorf("%v: got %v, want an error", n, shares)
		}
	}
	if _, err := Split(make([]byte, LargestSecret+1), 2, 3); err == nil {
		t.Error("a secret that is too large is split")
	}
	if shares, err := Split(make([]byte, LargestSecret), 2, 3); err != nil {
		t.Errorf("the largest secret: %v", err)
	} else if got, _, err := Join(shares[:2]); err != nil || len(got) != LargestSecret {
		t.Errorf("the largest secret comes back as %x, %v", got, err)
	}
}

func TestASharePrintsWithoutItsValue(t *testing.T) {
	s := split(t, 2, 3)[0]
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		if text := fmt.Sprintf(format, s); !strings.HasSuffix(text, "[redacted]") {
			t.Errorf("%s prints %s", format, text)
		}
	}
}

func FuzzJoin(f *testing.F) {
	for _, s := range split(f, 2, 3)[:2] {
		f.Add(s.Value[:], s.Value[:], 1, 2)
	}
	f.Add([]byte{}, bytes.Repeat([]byte{0xff}, ValueSize), 1, 2)
	f.Fuzz(func(t *testing.T, a, b []byte, i, j int) {
		one, two := Share{Number: i, Threshold: 2, Total: 3}, Share{Number: j, Threshold: 2, Total: 3}
		copy(one.Value[:], a)
		copy(two.Value[:], b)
		if got, _, err := Join([]Share{one, two}); err == nil && unpack(pack(got)) == nil {
			t.Errorf("joined to %x, which is no secret", got)
		}
	})
}
