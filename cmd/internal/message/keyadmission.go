package message

import (
	"strings"
)

// Admission is what key collector add and key keeper add print as JSON, and key writer add among
// other things: who was admitted, and the key file.
type Admission struct {
	Name    string `json:"name" doc:"The name that it signs with."`
	Key     string `json:"key" doc:"Its public key."`
	Config  uint64 `json:"config" doc:"The number of the configuration that admits it."`
	File    string `json:"file,omitempty" doc:"The key file that was written."`
	Content string `json:"content,omitempty" doc:"The key file's text, secret, where no file was named."`
	DryRun  bool   `json:"dry_run,omitempty" doc:"Whether nothing was changed."`
}

// Text is the key file, or where it was written.
func (m Admission) Text() string {
	if m.Content != "" {
		return strings.TrimRight(m.Content, "\n")
	}
	return "wrote the key file of " + m.Name + " to " + m.File
}
