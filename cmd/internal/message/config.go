package message

import (
	"fmt"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/output"
)

// ConfigCheck is what config check prints as JSON.
type ConfigCheck struct {
	File    string `json:"file" doc:"The settings file."`
	Sources int    `json:"sources" doc:"How many sources it names."`
	Sets    int    `json:"sets" doc:"How many sets it names."`
	Absent  int    `json:"absent,omitempty" doc:"How many of the files that it names cannot be read on this machine; warnings name them."`
}

// ConfigCheckOf says what is in a settings file, and how many of the files that it names are absent.
func ConfigCheckOf(file string, settings *config.Config, absent int) ConfigCheck {
	return ConfigCheck{File: file, Sources: len(settings.Sources), Sets: len(settings.Sets), Absent: absent}
}

// Text is the message for people.
func (m ConfigCheck) Text() string {
	text := fmt.Sprintf("%s is good: %s, %s", m.File, output.Plural(m.Sources, "source"), output.Plural(m.Sets, "set"))
	if m.Absent > 0 {
		text += fmt.Sprintf("; %s that it names cannot be read on this machine", output.Plural(m.Absent, "file"))
	}
	return text
}
