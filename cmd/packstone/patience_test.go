package main

import (
	"strings"
	"testing"
	"time"
)

func TestStorageThatRefusesConnectionsIsGivenUp(t *testing.T) {
	for _, c := range []struct {
		args []string
		want time.Duration
	}{
		{[]string{"--give-up-after", "300ms", "snapshots"}, 300 * time.Millisecond},
		{[]string{"--give-up-after", "0", "backup", "."}, 0},
	} {
		env := []string{"AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=y", "HOME=" + t.TempDir()}
		begun := time.Now()
		code, _, stderr := runWith(t, env, append([]string{"-r", "minio+http://127.0.0.1:1/bucket"}, c.args...)...)
		if code != exitUnreachable || time.Since(begun) < c.want || !strings.Contains(stderr, "127.0.0.1:1") || !strings.Contains(stderr, "connection refused") {
			t.Errorf("%q: ended with %d after %v and said %q", c.args, code, time.Since(begun), stderr)
		}
	}
	if code, _, stderr := runWith(t, nil, "snapshots", "--give-up-after", "-1s"); code != exitUsage {
		t.Errorf("a negative time: ended with %d and said %q", code, stderr)
	}
}

func TestVerbsThatLookWaitLessForTheFirstAnswer(t *testing.T) {
	for _, c := range []struct {
		used         uses
		given        bool
		after        time.Duration
		total, reach time.Duration
	}{
		{usesRepository, false, 0, 0, 10 * time.Second},
		{usesRepository | usesDryRun, false, 0, 0, 0},
		{usesRepository, true, time.Hour, time.Hour, time.Hour},
		{usesRepository | usesDryRun, true, 0, -1, -1},
	} {
		a := &app{used: c.used, flags: globalFlags{giveUpGiven: c.given, giveUpAfter: c.after}}
		if total, reach := a.giveUp(); total != c.total || reach != c.reach {
			t.Errorf("%+v: got %v and %v", c, total, reach)
		}
	}
}
