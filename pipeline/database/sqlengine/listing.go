package sqlengine

import (
	"context"

	"github.com/packstone/packstone/pipeline/database"
)

// Listing is a kind of object that is only listed, so that the report names it.
type Listing struct {
	Kind string
	SQL  string // asks for schemas and names
	Args []any
	Lost string // why there is no DDL; empty where the engine looks for some
}

// Unlisted is the name of the object that stands for a kind that the server
// refuses to list.
const Unlisted = "*"

// List asks for objects of each kind. A kind that the server refuses to list
// becomes one object, which says so.
func (c Client) List(ctx context.Context, q Queryer, list []Listing) ([]*database.Object, error) {
	var out []*database.Object
	for _, l := range list {
		found, err := c.listed(ctx, q, l)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

func (c Client) listed(ctx context.Context, q Queryer, l Listing) (out []*database.Object, err error) {
	add := func(schema, name, lost string) {
		id := database.ObjectID{Kind: l.Kind, Schema: schema, Name: name}
		out = append(out, &database.Object{ObjectID: id, Phase: database.AtEnd, Lost: lost})
	}
	err = Each(ctx, q, l.SQL, func(row []string) error {
		add(row[0], row[1], l.Lost)
		return nil
	}, l.Args...)
	if err == nil || ctx.Err() != nil || c.Number(err) == 0 || c.Lost(err) {
		return out, c.Translate(err)
	}
	add("", Unlisted, "the server does not say whether there are any: "+err.Error())
	return out, nil
}
