package output

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/packstone/packstone/archive/store/retry"
)

// waiting makes a patience that prints to the buffer.
func waiting(terminal bool) (*Patience, *bytes.Buffer) {
	said := new(bytes.Buffer)
	return &Patience{Out: New(Options{Stdout: said, Stderr: said, Terminal: terminal})}, said
}

var refused = retry.Event{Err: errors.New("dial tcp 192.0.2.1:9000: connection refused"), Left: time.Minute}

func TestWhatPassesSoonIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, said := waiting(false)
		p.Failed("s3://b", refused)
		time.Sleep(1900 * time.Millisecond)
		p.Answered()
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
		p.Failed("minio+http://192.0.2.1:9000/b", refused)
		time.Sleep(2100 * time.Millisecond)
		synctest.Wait()
		first := said.String()
		if !strings.HasPrefix(first, "warning: minio+http://192.0.2.1:9000/b does not answer, trying again for 0:58: dial tcp 192.0.2.1:9000: connection refused") {
			t.Errorf("after two seconds: said %q", first)
		}
		for range 20 {
			p.Failed("minio+http://192.0.2.1:9000/b", refused)
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if said.String() != first {
			t.Errorf("later: said %q", said.String()[len(first):])
		}
		p.Answered()
		if rest := said.String()[len(first):]; rest != "the storage answers again, after 0:22\n" {
			t.Errorf("at the end: said %q", rest)
		}
		p.End()
		time.Sleep(time.Minute)
	})
}

func TestOnATerminalOneLineCountsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, said := waiting(true)
		stop := p.Out.Progress(func() Counts { return Counts{BytesDone: 1} })
		time.Sleep(time.Second)
		p.Failed("s3://b", refused)
		time.Sleep(2050 * time.Millisecond)
		synctest.Wait()
		before := said.Len()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		lines := strings.Split(strings.TrimPrefix(said.String()[before:], "\r"), "\r")
		if len(lines) != 3 || !strings.Contains(lines[0], "for 0:57") || !strings.Contains(lines[2], "for 0:55") || strings.Contains(said.String(), "\n") {
			t.Errorf("got the lines %q, want three that count down", lines)
		}
		p.End()
		before = said.Len()
		time.Sleep(time.Second)
		stop()
		if rest := said.String()[before:]; strings.Contains(rest, "does not answer") || !strings.Contains(rest, "1 B") {
			t.Errorf("after the end: got %q, want progress", rest)
		}
	})
}
