package config

import (
	"net"
	"strings"
)

// Metrics says where to write metrics that nobody scrapes.
type Metrics struct {
	TextFile string `yaml:"textfile,omitempty" doc:"A file for the text-file collector of node_exporter, NAME.prom, replaced after every run."`
}

// Serve says what packstone run serves over HTTP.
type Serve struct {
	Listen  string `yaml:"listen" doc:"The address, such as 127.0.0.1:8484. /healthz and /readyz are served there."`
	Metrics bool   `yaml:"metrics,omitempty" doc:"Serve /metrics for Prometheus too."`
}

func (m *Metrics) check(d *decoder) {
	m.TextFile = d.resolve(m.TextFile)
	if m.TextFile != "" && !strings.HasSuffix(m.TextFile, ".prom") {
		d.problemAt("metrics.textfile", "must end in .prom: node_exporter reads no other files")
	}
}

func (s *Serve) check(d *decoder) {
	if s.Listen == "" {
		return
	}
	if _, port, err := net.SplitHostPort(s.Listen); err != nil || port == "" {
		d.problemAt("serve.listen", "%q is not an address such as 127.0.0.1:8484", s.Listen)
	}
}
