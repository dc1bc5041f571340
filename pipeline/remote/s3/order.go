package s3

import (
	"context"
	"strings"
	"time"
)

// A server lists keys bytewise; a tree has what lies in a directory right behind the directory, as
// if '/' came before every other byte. Between the two, "a-b" must wait until it is known whether
// there is "a/". ordered does that with bounded memory: keys wait until the listing has come past
// the place of the directory, and if too many would have to, the server is asked.

// held is how many keys may wait before the server is asked.
const held = 8 * pageKeys

// ordered yields the keys below a prefix in the order of a tree.
type ordered struct {
	bucket *Bucket
	prefix string
	before time.Time
	limit  int // of keys that wait
	yield  func(Object) error

	frames  []frame
	waiting int // keys in frames that are not settled
}

// frame is a possible directory, and the keys that come after its content.
type frame struct {
	stem    string // the directory without its slash
	held    []Object
	settled bool // nothing held by frames below waits for this one
	skip    bool // what is in dir was given out already, or appeared since it was asked for
}

func (b *Bucket) ordered(ctx context.Context, prefix string, before time.Time, yield func(Object) error) error {
	o := &ordered{bucket: b, prefix: prefix, before: before, limit: held, yield: yield}
	return o.run(ctx)
}

func (o *ordered) run(ctx context.Context) error {
	for object, err := range o.bucket.split(o.prefix, o.before).all(ctx) {
		if err != nil {
			return err
		}
		if err := o.add(ctx, object); err != nil {
			return err
		}
	}
	return o.popTo(0)
}

// add adds the next key of the listing.
func (o *ordered) add(ctx context.Context, object Object) error {
	key := object.Key
	keep := len(o.frames)
	for keep > 0 && behind(key, o.frames[keep-1].stem) {
		keep--
	}
	if err := o.popTo(keep); err != nil {
		return err
	}
	from := len(o.prefix)
	if keep > 0 {
		top := &o.frames[keep-1]
		from = len(top.stem) + 1
		if key[len(top.stem)] == '/' {
			if top.skip {
				return nil
			}
			o.settle(top)
		}
	}
	o.push(key, from)
	if err := o.place(len(o.frames), object); err != nil {
		return err
	}
	return o.relieve(ctx)
}

// behind reports whether a key is listed after everything in a directory.
func behind(key, stem string) bool {
	if strings.HasPrefix(key, stem) {
		return len(key) > len(stem) && key[len(stem)] > '/'
	}
	return key > stem
}

// push adds a frame for each directory that is after key in the listing and before it in the tree.
func (o *ordered) push(key string, from int) {
	for i := from; i < len(key); i++ {
		if key[i] < '/' {
			o.frame(key[:i])
		}
	}
}

func (o *ordered) frame(stem string) {
	n := len(o.frames)
	if n == cap(o.frames) {
		o.frames = append(o.frames, frame{stem: stem})
		return
	}
	o.frames = o.frames[:n+1] // with the memory of one that was there
	o.frames[n] = frame{stem: stem, held: o.frames[n].held[:0]}
}

func (o *ordered) settle(f *frame) {
	if !f.settled {
		f.settled = true
		o.waiting -= len(f.held)
	}
}

// popTo ends all frames but the first n.
func (o *ordered) popTo(n int) error {
	for len(o.frames) > n {
		top := len(o.frames) - 1
		o.settle(&o.frames[top])
		if err := o.release(top); err != nil {
			return err
		}
		o.frames = o.frames[:top]
	}
	return nil
}

// release yields what a frame holds.
func (o *ordered) release(at int) error {
	f := &o.frames[at]
	objects := f.held
	f.held = f.held[:0]
	for _, object := range objects {
		if err := o.place(at, object); err != nil {
			return err
		}
	}
	clear(objects)
	return nil
}

// place passes an object to the next lower frame that is not settled, or yields it.
func (o *ordered) place(at int, object Object) error {
	for below := at - 1; below >= 0; below-- {
		if to := &o.frames[below]; !to.settled {
			to.held = append(to.held, object)
			o.waiting++
			return nil
		}
	}
	return o.yield(object)
}

// relieve asks the server for directories, the outermost first, until few enough keys wait.
func (o *ordered) relieve(ctx context.Context) error {
	for at := 0; o.waiting > o.limit && at < len(o.frames); at++ {
		f := &o.frames[at]
		if f.settled {
			continue
		}
		err := o.bucket.ordered(ctx, f.stem+"/", o.before, o.yield)
		if err != nil {
			return err
		}
		o.settle(f)
		f.skip = true
		if err := o.release(at); err != nil {
			return err
		}
	}
	return nil
}
