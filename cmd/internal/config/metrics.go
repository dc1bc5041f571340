package config

import "strings"

// Metrics says where to write metrics that nobody scrapes.
type Metrics struct {
	TextFile string `yaml:"textfile,omitempty" doc:"A file for the text-file collector of node_exporter, NAME.prom, replaced after every run."`
}

func (m *Metrics) check(d *decoder) {
	m.TextFile = d.resolve(m.TextFile)
	if m.TextFile != "" && !strings.HasSuffix(m.TextFile, ".prom") {
		d.problemAt("metrics.textfile", "must end in .prom: node_exporter reads no other files")
	}
}
