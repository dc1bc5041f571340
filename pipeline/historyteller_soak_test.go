//go:build soak

package pipeline_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// tellerOf is the variable of the environment of a process that lives histories, and answersFile the
// number of the file to which it answers.
const (
	tellerOf    = "SOAK_TELLER"
	answersFile = 3
)

// teller is another process of this test, which lives histories.
type teller struct {
	command *exec.Cmd
	said    bytes.Buffer
	orders  io.WriteCloser
	answers *os.File
	decoder *json.Decoder
}

// newTeller starts one. What it allocates is little, so its garbage is collected seldom.
func newTeller() (*teller, error) {
	answers, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	p := &teller{command: exec.Command(os.Args[0], "-test.run=^TestSoakHistories$", "-test.timeout=0"), answers: answers, decoder: json.NewDecoder(answers)}
	p.command.Env = append(os.Environ(), tellerOf+"=1", "GOGC=400")
	p.command.Stdout, p.command.Stderr, p.command.ExtraFiles = &p.said, &p.said, []*os.File{theirs}
	if p.orders, err = p.command.StdinPipe(); err != nil {
		return nil, errors.Join(err, answers.Close())
	}
	if err := p.command.Start(); err != nil {
		return nil, errors.Join(err, p.orders.Close(), answers.Close())
	}
	return p, nil
}

// longest is how long one history may take, even on a machine that is busy. One that takes longer
// hangs, mostly since it sleeps where another goroutine waits for a mutex: time does not pass then.
const longest = 15 * time.Minute

// live has it live the history with a seed. One that hangs is made to say where.
func (p *teller) live(seed uint64) (*lived, error) {
	hangs := time.AfterFunc(longest, func() { _ = p.command.Process.Signal(syscall.SIGQUIT) })
	defer hangs.Stop()
	if err := json.NewEncoder(p.orders).Encode(seed); err != nil {
		return nil, err
	}
	l := new(lived)
	return l, p.decoder.Decode(l)
}

// end waits until the process has ended, and returns the time of processors that it took. If it
// failed, the error is what it said.
func (p *teller) end() (processor time.Duration, err error) {
	err = errors.Join(p.orders.Close(), p.command.Wait(), p.answers.Close())
	if err != nil {
		err = fmt.Errorf("%w: %s", err, p.said.Bytes())
	}
	state := p.command.ProcessState
	return state.UserTime() + state.SystemTime(), err
}
