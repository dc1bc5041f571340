package output

// Row prints one of many rows of a result as soon as it is known: with JSON an object of this message
// type, else a line, unless Quiet is set. It returns what Err does.
func (p *Printer) Row(kind string, m any, text string) error {
	if p.options.JSON {
		return p.Message(kind, m, "")
	}
	p.Line("%s", text)
	return p.Err()
}
