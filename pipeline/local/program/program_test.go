package program

import (
	"context"
	"strings"
	"testing"
)

func TestTheTailIsTheEndOfWhatWasWritten(t *testing.T) {
	var x tail
	for range 3 {
		if n, err := x.Write([]byte(strings.Repeat("line of text\n", 1000))); n != 13000 || err != nil {
			t.Fatalf("write: got %d, %v", n, err)
		}
	}
	_, _ = x.Write([]byte("the \xff end\n"))
	got := x.String()
	if len(got) > tailSize+10 || !strings.HasSuffix(got, "line of text\nthe ? end") || !strings.HasPrefix(got, "… line") {
		t.Errorf("got %d bytes, %q…%q", len(got), got[:20], got[len(got)-30:])
	}
}

func TestAProgramNeedsArguments(t *testing.T) {
	if _, err := Start(context.Background(), Options{}); err == nil {
		t.Error("got no error")
	}
}
