package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/packstone/packstone/archive/store/retry"
	"github.com/packstone/packstone/cmd/internal/output"
)

// waiting makes a patience that prints to the buffer.
func waiting(terminal bool) (*patience, *bytes.Buffer) {
	said := new(bytes.Buffer)
	return &patience{now: time.Now, out: output.New(output.Options{Stdout: said, Stderr: said, Terminal: terminal})}, said
}

var refused = retry.Event{Err: errors.New("dial tcp 192.0.2.1:9000: connection refused"), Left: time.Minute}

func TestWhatPassesSoonIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, said := waiting(false)
		p.failed("s3://b", refused)
		time.Sleep(1900 * time.Millisecond)
		p.answered()
		time.Sleep(time.Minute)
		synctest.Wait()
		if said.Len() > 0 {
			t.Errorf("said %q, want nothing", said)
		}
	})
}

func TestSilenceIsToldOnceAfterTwoSecondsWithTheHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, said := waiting(false)
		p.failed("minio+http://192.0.2.1:9000/b", refused)
		time.Sleep(2100 * time.Millisecond)
		synctest.Wait()
		first := said.String()
		if !strings.HasPrefix(first, "warning: minio+http://192.0.2.1:9000/b does not answer, trying again for 0:58: dial tcp 192.0.2.1:9000: connection refused") {
			t.Errorf("after two seconds: said %q", first)
		}
		for range 20 {
			p.failed("minio+http://192.0.2.1:9000/b", refused)
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if said.String() != first {
			t.Errorf("later: said %q", said.String()[len(first):])
		}
		p.answered()
		if rest := said.String()[len(first):]; rest != "the storage answers again, after 0:22\n" {
			t.Errorf("at the end: said %q", rest)
		}
		p.end()
		time.Sleep(time.Minute)
	})
}

func TestOnATerminalOneLineCountsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, said := waiting(true)
		stop := p.out.Progress(func() output.Counts { return output.Counts{BytesDone: 1} })
		time.Sleep(time.Second)
		p.failed("s3://b", refused)
		time.Sleep(2050 * time.Millisecond)
		synctest.Wait()
		before := said.Len()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		lines := strings.Split(strings.TrimPrefix(said.String()[before:], "\r"), "\r")
		if len(lines) != 3 || !strings.Contains(lines[0], "for 0:57") || !strings.Contains(lines[2], "for 0:55") || strings.Contains(said.String(), "\n") {
			t.Errorf("got the lines %q, want three that count down", lines)
		}
		p.end()
		before = said.Len()
		time.Sleep(time.Second)
		stop()
		if rest := said.String()[before:]; strings.Contains(rest, "does not answer") || !strings.Contains(rest, "1 B") {
			t.Errorf("after the end: got %q, want progress", rest)
		}
	})
}

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
