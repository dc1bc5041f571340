package target

import (
	"os/user"
	"strings"
	"testing"

	"github.com/packstone/packstone/catalog/entry"
)

func TestAnOwnerWhoseNumberIsSomebodyElsesHereIsNamed(t *testing.T) {
	root, err := user.LookupId("0")
	if err != nil {
		t.Fatal(err)
	}
	var s Strangers
	for _, e := range []entry.Entry{
		{User: root.Username, UID: 7},          // known by name
		{User: "", UID: 0},                     // without a name
		{User: "nobody-here", UID: 4000000001}, // the number is nobody's
	} {
		s.Note(&e)
	}
	if !s.None() {
		t.Errorf("it names %s", &s)
	}
	for range 2 {
		s.Note(&entry.Entry{User: "nobody-here", UID: 0})
	}
	if want := "user nobody-here, whose number 0 is " + root.Username + "'s here (2 entries)"; !strings.Contains(s.String(), want) {
		t.Errorf("got %q, want %q", &s, want)
	}
}
