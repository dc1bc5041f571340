package notice

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// commandLimit is the time limit of a command, as a multiple of that of a request.
const commandLimit = 4

// command runs a program that delivers a notice.
func (s *Sender) command(ctx context.Context, words []string, n *Notice) error {
	limit := commandLimit * s.o.Timeout
	limited, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it was stopped after %s", limit))
	defer cancel()
	input, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("write the notice: %w", err)
	}
	cmd := exec.CommandContext(limited, words[0], words[1:]...)
	cmd.Env = append(append([]string{}, s.o.Env...), "PACKSTONE_NOTICE_EVENT="+string(n.Event), "PACKSTONE_NOTICE_SET="+n.Set,
		"PACKSTONE_NOTICE_TITLE="+n.Title, "PACKSTONE_NOTICE_TEXT="+n.Text)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(append(input, '\n')), s.o.Output, s.o.Output
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	if err = cmd.Run(); err != nil && limited.Err() != nil {
		return context.Cause(limited)
	}
	return err
}
