package output

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// capture makes a printer with buffers for its streams.
func capture(options Options) (p *Printer, stdout, stderr *bytes.Buffer) {
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	options.Stdout, options.Stderr = stdout, stderr
	return New(options), stdout, stderr
}

func TestNamesCannotMoveTheCursor(t *testing.T) {
	for name, want := range map[string]string{
		"plain/päth with spaces":  "plain/päth with spaces",
		"":                        "",
		"\x1b[2Jgone":             `"\x1b[2Jgone"`,
		"two\nlines":              `"two\nlines"`,
		"caf\xe9":                 `"caf\xe9"`,
		"\u202egnp.exe":           `"\u202egnp.exe"`,
		`"quoted"`:                `"\"quoted\""`,
		"real replacement \uFFFD": "real replacement \uFFFD",
		`back\slash`:              `back\slash`,
	} {
		if got := Name(name).String(); got != want {
			t.Errorf("%q is printed as %s, want %s", name, got, want)
		}
		text, err := json.Marshal(Name(name))
		if err != nil {
			t.Fatal(err)
		}
		var back string
		if err := json.Unmarshal(text, &back); err != nil || back != want {
			t.Errorf("%q is %s in JSON, which reads as %q, %v, want %q", name, text, back, err, want)
		}
	}
}

func TestErrorsKeepTheirLinesButNoControlCharacters(t *testing.T) {
	p, _, stderr := capture(Options{})
	p.Exit(1, errors.New("open \x1b[31mred\xff: no\nsecond line"))
	want := "packstone: open \\x1b[31mred\\xff: no\n  second line\n"
	if got := stderr.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestResultsGoToStdoutAndTheRestToStderr(t *testing.T) {
	say := func(p *Printer) {
		p.Line("line")
		p.Note("note")
		p.Detail(VerboseStatus{Action: "new", Item: "a", DataSize: 2048})
		p.Warn(Warning{Message: "careful", Item: "b"})
		p.Problem("c", "read", errors.New("input/output error"))
		p.Summary(map[string]int{"files_new": 3}, "3 new files")
		p.Message("version", map[string]string{"version": "1"}, "version 1")
	}
	tests := []struct {
		name           string
		options        Options
		stdout, stderr string
	}{
		{"text", Options{}, "line\n3 new files\nversion 1\n", "note\nwarning: b: careful\nerror: c: input/output error\n"},
		{"verbose", Options{Verbose: 1}, "line\nnew       a (2.00 KiB)\n3 new files\nversion 1\n", "note\nwarning: b: careful\nerror: c: input/output error\n"},
		{"quiet", Options{Quiet: true}, "version 1\n", "warning: b: careful\nerror: c: input/output error\n"},
		{"JSON", Options{JSON: true, Verbose: 1},
			`{"schema":"packstone.v1","message_type":"verbose_status","action":"new","item":"a","data_size":2048}` + "\n" +
				`{"schema":"packstone.v1","message_type":"summary","files_new":3}` + "\n" +
				`{"schema":"packstone.v1","message_type":"version","version":"1"}` + "\n",
			`{"schema":"packstone.v1","message_type":"warning","message":"careful","item":"b"}` + "\n" +
				`{"schema":"packstone.v1","message_type":"error","error":{"message":"input/output error"},"during":"read","item":"c"}` + "\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, stdout, stderr := capture(test.options)
			say(p)
			if stdout.String() != test.stdout {
				t.Errorf("stdout\n got %q\nwant %q", stdout, test.stdout)
			}
			if stderr.String() != test.stderr {
				t.Errorf("stderr\n got %q\nwant %q", stderr, test.stderr)
			}
		})
	}
}

func TestAListIsATableOrOneArray(t *testing.T) {
	type row struct {
		Name Name `json:"name"`
	}
	table := Table{Head: []string{"Name", "Size"}, Right: []int{1}, Rows: [][]string{{"ä", "1 B"}, {"longer", "12 KiB"}}, Footer: "2 things"}
	p, stdout, _ := capture(Options{Quiet: true})
	if err := List(p, []row{{"ä"}, {"longer"}}, table); err != nil {
		t.Fatal(err)
	}
	if want := "Name      Size\nä          1 B\nlonger  12 KiB\n2 things\n"; stdout.String() != want {
		t.Errorf("got\n%s\nwant\n%s", stdout, want)
	}
	for _, test := range []struct {
		rows []row
		want string
	}{{nil, "[]\n"}, {[]row{{"a"}, {"b"}}, `[{"name":"a"},{"name":"b"}]` + "\n"}} {
		p, stdout, _ := capture(Options{JSON: true})
		if err := List(p, test.rows, table); err != nil || stdout.String() != test.want {
			t.Errorf("%v: got %q, %v, want %q", test.rows, stdout, err, test.want)
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestAResultThatCannotBeWrittenIsAnError(t *testing.T) {
	p := New(Options{Stdout: fullDisk{}, Stderr: new(bytes.Buffer)})
	p.Line("result")
	if p.Err() == nil {
		t.Error("the error of writing is lost")
	}
	if err := List(p, []int{}, Table{Footer: "none"}); err == nil {
		t.Error("the error of writing a list is lost")
	}
}

func TestTheProgressLineMakesWayForOtherLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stdout, stderr := capture(Options{Terminal: true, Width: func() int { return 60 }})
		stop := p.Progress(func() Counts {
			return Counts{FilesDone: 1, TotalFiles: 4, BytesDone: 1 << 20, TotalBytes: 2 << 20, Current: []string{"dir/" + strings.Repeat("x", 99)}}
		})
		time.Sleep(150 * time.Millisecond)
		synctest.Wait()
		p.Line("a result")
		stop()
		stop()
		drawn := "[0:00] 50.0%  1.00 MiB of 2.00 MiB, 10.0 MiB/s, ETA 0:01" // the files do not fit
		want := "\r" + drawn + "\x1b[K" + "\r\x1b[K" + drawn + "\r\x1b[K"
		if stderr.String() != want {
			t.Errorf("stderr\n got %q\nwant %q", stderr, want)
		}
		if stdout.String() != "a result\n" {
			t.Errorf("stdout got %q", stdout)
		}
	})
}

func TestWithoutATerminalProgressIsALineAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _, stderr := capture(Options{})
		stop := p.Progress(func() Counts { return Counts{FilesDone: 7, BytesDone: 60 << 20} })
		time.Sleep(150 * time.Second)
		stop()
		want := "[1:00]  60.0 MiB, 7 files, 1.00 MiB/s\n[2:00]  60.0 MiB, 7 files, 0 B/s\n"
		if stderr.String() != want {
			t.Errorf("got %q, want %q", stderr, want)
		}
	})
}

func TestStatusInJSONIsALineASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stdout, _ := capture(Options{JSON: true})
		stop := p.Progress(func() Counts { return Counts{FilesDone: 1, TotalFiles: 2, Current: []string{"a\xff"}} })
		time.Sleep(2500 * time.Millisecond)
		stop()
		want := `{"schema":"packstone.v1","message_type":"status","seconds_elapsed":1,"percent_done":0.5,"total_files":2,"files_done":1,"bytes_done":0,"bytes_per_second":0,"current_files":["\"a\\xff\""]}`
		lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
		if len(lines) != 2 || lines[0] != want {
			t.Errorf("got %d lines, the first %s\nwant 2, the first %s", len(lines), lines[0], want)
		}
	})
}

func TestLinesFromManyGoroutinesStayWhole(t *testing.T) {
	p, stdout, _ := capture(Options{JSON: true, Verbose: 1})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 100 {
				p.Detail(VerboseStatus{Action: "new", Item: Name(fmt.Sprint(i))})
			}
		})
	}
	all.Wait()
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	if len(lines) != 800 {
		t.Fatalf("got %d lines, want 800", len(lines))
	}
	for _, line := range lines {
		if !json.Valid([]byte(line)) {
			t.Fatalf("not JSON: %s", line)
		}
	}
}

func TestSizesAndTimesInWords(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.00 KiB", 1536: "1.50 KiB", 10 << 10: "10.0 KiB", 999 << 10: "999 KiB", 1 << 20: "1.00 MiB",
		1<<20 - 1: "1.00 MiB", 3 << 30: "3.00 GiB", 1<<63 - 1: "8.00 EiB", -2048: "-2.00 KiB", -1 << 63: "-8.00 EiB",
	} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -12345678: "-12,345,678", -100: "-100"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0:00", -time.Second: "0:00", 400 * time.Millisecond: "0:00", 67 * time.Second: "1:07", time.Hour: "1:00:00", 100*time.Hour + 5*time.Minute + 9*time.Second: "100:05:09",
	} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%v) = %s, want %s", d, got, want)
		}
	}
}
