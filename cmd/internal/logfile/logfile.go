// Package logfile is a file that lines go to, each with its time, and that is opened anew when
// somebody has moved it away. It also tells whether a stream is the journal of systemd, where lines
// need no time and may have a priority.
package logfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/packstone/packstone/cmd/internal/output"
)

// mode is that of a file that is made: it may name what is backed up.
const mode = 0o640

// File is a log file. It is an io.Writer of text, line by line, and its methods are safe to call at
// once.
type File struct {
	path string
	json bool
	now  func() time.Time

	mu   sync.Mutex
	file *os.File
	part []byte // of a line that has no end yet
}

// Line is what a program says beside messages, as JSON.
type Line struct {
	Text string `json:"text" doc:"A line that a hook or another program has said."`
}

// Open opens the file at path to write at its end, and makes it if there is none. Of a file of JSON
// every line is an object.
func Open(path string, json bool) (*File, error) {
	f := &File{path: path, json: json, now: time.Now}
	return f, f.Reopen()
}

// Reopen goes on in the file that is at the path by now, such as after logrotate has moved the old
// one away. After an error the old one is written on.
func (f *File) Reopen() error {
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, mode)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file != nil {
		f.file.Close()
	}
	f.file = file
	return nil
}

// Write takes text. It returns no errors: there is nowhere left to report them.
func (f *File) Write(text []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.part = append(f.part, text...)
	end := bytes.LastIndexByte(f.part, '\n')
	if end < 0 {
		return len(text), nil
	}
	f.put(f.part[:end+1])
	f.part = append([]byte(nil), f.part[end+1:]...)
	return len(text), nil
}

// put writes whole lines in one piece.
func (f *File) put(lines []byte) {
	var all []byte
	for line := range bytes.Lines(lines) {
		all = append(all, f.stamped(bytes.TrimSuffix(line, []byte("\n")))...)
	}
	f.file.Write(all)
}

// stamped is a line with its time.
func (f *File) stamped(line []byte) []byte {
	at := f.now()
	if !f.json {
		return fmt.Appendf(nil, "%s %s\n", output.Time(at), line)
	}
	if !json.Valid(line) || !bytes.HasPrefix(line, []byte(`{"`)) {
		text, _ := json.Marshal(Line{string(line)}) // a text can be encoded
		line = fmt.Appendf(nil, `{"schema":%q,"message_type":"output",%s`, output.Schema, output.CleanJSON(text)[1:])
	}
	return fmt.Appendf(nil, "{\"time\":%q,%s\n", at.Format(time.RFC3339Nano), line[1:])
}

// Close writes what is left, and closes the file.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.part) > 0 {
		f.put(append(f.part, '\n'))
		f.part = nil
	}
	return f.file.Close()
}

// IsJournal tells whether what is written to a stream goes to the journal of systemd, which has
// said so in JOURNAL_STREAM.
func IsJournal(stream io.Writer, journalStream string) bool {
	file, ok := stream.(*os.File)
	if !ok || journalStream == "" {
		return false
	}
	device, inode, ok := identity(file)
	return ok && journalStream == fmt.Sprintf("%d:%d", device, inode)
}
