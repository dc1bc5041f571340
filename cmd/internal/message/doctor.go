package message

import (
	"fmt"
	"strings"

	"github.com/packstone/packstone/cmd/internal/doctor"
	"github.com/packstone/packstone/cmd/internal/output"
)

// Doctor is what doctor prints as JSON.
type Doctor struct {
	Repository string         `json:"repository" doc:"The repository's address."`
	Checks     []doctor.Check `json:"checks" doc:"What was looked at, in order."`
	Warnings   int            `json:"warnings" doc:"Checks that ended with advice."`
	Failures   int            `json:"failures" doc:"Checks that failed."`
}

// DoctorOf says what was found at an address.
func DoctorOf(address string, x *doctor.Examination) Doctor {
	return Doctor{Repository: address, Checks: x.Checks, Warnings: x.Warnings, Failures: x.Failures}
}

// Text is the report for a person; layOut formats a table.
func (m Doctor) Text(layOut func(output.Table) string) string {
	table := output.Table{Head: []string{"CHECK", "STATUS", "TIME", "DETAIL"}, Right: []int{2}, Wrap: true}
	for _, c := range m.Checks {
		table.Rows = append(table.Rows, []string{c.Name, c.Status, fmt.Sprintf("%.0f ms", c.Seconds*1000), output.OrDash(c.Detail)})
	}
	table.Footer = fmt.Sprintf("%s: %s, %s, %s", m.Repository, output.Plural(len(m.Checks), "check"), output.Plural(m.Warnings, "warning"), output.Plural(m.Failures, "failure"))
	return strings.TrimRight(layOut(table), "\n")
}
