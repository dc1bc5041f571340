package output

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Counts is the progress of a run, as the run counts it. Unknown totals are 0.
type Counts struct {
	FilesDone, TotalFiles int64
	BytesDone, TotalBytes int64
	Errors                int64
	Current               []string // empty names are left out
}

// Progress shows the progress of a run until stop is called. It calls read regularly, from one
// goroutine. With Quiet it shows nothing.
func (p *Printer) Progress(read func() Counts) (stop func()) {
	if p.follow != nil {
		return p.follow(read)
	}
	if p.options.Quiet {
		return func() {}
	}
	m := newMeter(p.options.Now())
	done := make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() {
		ticker := time.NewTicker(p.interval())
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				p.show(m.status(read(), p.options.Now()))
			case <-done:
				return
			}
		}
	})
	return sync.OnceFunc(func() {
		close(done)
		ended.Wait()
		p.clear()
	})
}

func (p *Printer) interval() time.Duration {
	switch {
	case p.options.FPS > 0:
		return time.Duration(float64(time.Second) / p.options.FPS)
	case p.options.JSON:
		return time.Second
	case p.options.Terminal:
		return time.Second / 10
	}
	return time.Minute
}

func (p *Printer) show(s Status) {
	switch {
	case p.options.JSON:
		p.result(message("status", s))
	case p.options.Terminal && p.isWaiting():
	case p.options.Terminal:
		p.draw(s.line(p.options.Width(), p.dots()))
	default:
		p.aside(info, []byte(s.line(1<<10, p.dots())+"\n"))
	}
}

func (p *Printer) isWaiting() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting
}

// dots returns what stands for the part that was cut out of a line.
func (p *Printer) dots() string {
	if p.options.ASCII {
		return "..."
	}
	return "…"
}

// leastName is the least number of columns for the name of a file; if there are fewer, none is
// shown.
const leastName = 12

// line returns the status as text of at most width columns. The file name gets the columns that the
// numbers leave; if the numbers do not fit, there are fewer of them.
func (s Status) line(width int, dots string) string {
	width-- // the last column makes some terminals wrap
	numbers := s.numbers(true)
	if columns(numbers) > width {
		numbers = s.numbers(false)
	}
	return s.named(numbers, width, dots)
}

// numbers returns the whole status except for the file name. files includes the number of files.
func (s Status) numbers(files bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[%s]", Duration(time.Duration(s.SecondsElapsed)*time.Second))
	if s.TotalBytes > 0 || s.TotalFiles > 0 {
		fmt.Fprintf(&b, " %.1f%%", 100*s.PercentDone)
	}
	b.WriteString("  " + of(Bytes(s.BytesDone), s.TotalBytes, Bytes))
	if files && (s.FilesDone > 0 || s.TotalFiles > 0) {
		b.WriteString(", " + s.files())
	}
	b.WriteString(", " + Bytes(s.BytesPerSecond) + "/s")
	if s.SecondsRemaining > 0 {
		fmt.Fprintf(&b, ", ETA %s", Duration(time.Duration(s.SecondsRemaining)*time.Second))
	}
	if s.ErrorCount > 0 {
		b.WriteString(", " + Plural(s.ErrorCount, "error"))
	}
	return b.String()
}

// files returns how many files are done, and of how many.
func (s Status) files() string {
	if s.TotalFiles <= 0 {
		return Plural(s.FilesDone, "file")
	}
	return Count(s.FilesDone) + " of " + Plural(s.TotalFiles, "file")
}

// named adds the current file to the numbers, if there is room.
func (s Status) named(numbers string, width int, dots string) string {
	room := width - columns(numbers) - 2
	if len(s.CurrentFiles) == 0 || room < leastName {
		return cut(numbers, width, dots)
	}
	return numbers + "  " + cutMiddle(s.CurrentFiles[0].String(), room, dots)
}

func of(done string, total int64, text func(int64) string) string {
	if total <= 0 {
		return done
	}
	return done + " of " + text(total)
}

func (p *Printer) draw(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drawn = line
	fmt.Fprint(p.options.Stderr, "\r"+line+"\x1b[K")
}

func (p *Printer) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	p.drawn = ""
}

// erase removes the progress line from the terminal, redraw prints it again. The caller must hold
// the lock.
func (p *Printer) erase() {
	if p.drawn != "" {
		fmt.Fprint(p.options.Stderr, "\r\x1b[K")
	}
}

func (p *Printer) redraw() {
	if p.drawn != "" {
		fmt.Fprint(p.options.Stderr, p.drawn)
	}
}

// meter computes the speed and the remaining time from counts.
type meter struct {
	begin   time.Time
	samples []sample // of the last ten seconds, oldest first
}

type sample struct {
	at    time.Time
	bytes int64
}

const speedWindow = 10 * time.Second

func newMeter(begin time.Time) *meter {
	return &meter{begin: begin, samples: []sample{{at: begin}}}
}

func (m *meter) status(c Counts, now time.Time) Status {
	speed := m.speed(c.BytesDone, now)
	s := Status{
		SecondsElapsed: int64(now.Sub(m.begin) / time.Second),
		PercentDone:    c.Share(),
		TotalFiles:     c.TotalFiles,
		FilesDone:      c.FilesDone,
		TotalBytes:     c.TotalBytes,
		BytesDone:      c.BytesDone,
		BytesPerSecond: int64(speed),
		ErrorCount:     c.Errors,
		CurrentFiles:   Names(slices.DeleteFunc(c.Current, func(name string) bool { return name == "" })),
	}
	if left := c.TotalBytes - c.BytesDone; left > 0 && speed >= 1 {
		s.SecondsRemaining = int64(float64(left)/speed) + 1
	}
	return s
}

// speed returns the mean of the last ten seconds, in bytes per second.
func (m *meter) speed(bytes int64, now time.Time) float64 {
	m.samples = append(m.samples, sample{at: now, bytes: bytes})
	for len(m.samples) > 2 && now.Sub(m.samples[1].at) >= speedWindow {
		m.samples = m.samples[1:]
	}
	oldest := m.samples[0]
	seconds := now.Sub(oldest.at).Seconds()
	if seconds <= 0 {
		return 0
	}
	return max(0, float64(bytes-oldest.bytes)/seconds)
}

// Share is how much of all is done, from 0 to 1; 0 if that is not known.
func (c Counts) Share() float64 {
	done, total := c.BytesDone, c.TotalBytes
	if total <= 0 {
		done, total = c.FilesDone, c.TotalFiles
	}
	if total <= 0 {
		return 0
	}
	return min(1, float64(done)/float64(total))
}
