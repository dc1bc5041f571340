// Command netproxy stands in front of any server and makes it as slow and far away as a network
// would:
//
//	netproxy -listen 127.0.0.1:9200 -target 127.0.0.1:7070 -rtt 50ms -rate 20MB
//
// It delays both directions by half of the round trip, lets each connection have a rate of its own,
// and can vary the delay, cut connections after some bytes, and refuse those above a number. With
// -ports it stands in front of a range of ports too, such as those of an FTP server's data
// connections. It copies bytes and knows no protocol, so signatures stay valid as long as the
// client signs for the address of the proxy. At its end, by an interrupt, it prints how many
// connections there were, the most at once, and the bytes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "netproxy:", err)
		os.Exit(1)
	}
}

func run() error {
	var o options
	listen := flag.String("listen", "127.0.0.1:9200", "`address` to listen at")
	flag.StringVar(&o.target, "target", "", "`address` of the server")
	flag.DurationVar(&o.rtt, "rtt", 0, "`time` of a round trip")
	flag.DurationVar(&o.jitter, "jitter", 0, "most `time` by which a delay is longer")
	flag.Var(&o.rate, "rate", "`bytes` a second that each connection gets in each direction, such as 20MB")
	flag.Var(&o.reset, "reset", "mean `bytes` after which a connection is cut")
	ports := flag.String("ports", "", "`range` of ports that are passed on as they are, such as 50000-50100")
	flag.IntVar(&o.connections, "connections", 0, "`number` of connections above which others are refused")
	flag.Parse()
	if o.target == "" {
		return errors.New("-target: want the address of the server")
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	passive, err := listenAt(listener.Addr(), *ports)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := &proxy{options: o}
	context.AfterFunc(ctx, func() { listener.Close() })
	var others sync.WaitGroup
	for _, l := range passive {
		context.AfterFunc(ctx, func() { l.Close() })
		others.Go(func() { p.serveAt(ctx, l, portOf(l.Addr())) })
	}
	p.serve(ctx, listener)
	others.Wait()
	fmt.Printf("%d connections, %d at most at once, %d refused, %d cut, %d bytes up, %d down\n",
		p.all.Load(), p.most.Load(), p.refused.Load(), p.cut.Load(), p.up.Load(), p.down.Load())
	return nil
}

// listenAt listens at a range of ports beside an address.
func listenAt(address net.Addr, ports string) (all []net.Listener, _ error) {
	if ports == "" {
		return nil, nil
	}
	var first, last int
	if n, _ := fmt.Sscanf(ports, "%d-%d", &first, &last); n != 2 || first > last {
		return nil, fmt.Errorf("-ports: %q is no range; try 50000-50100", ports)
	}
	host, _, err := net.SplitHostPort(address.String())
	if err != nil {
		return nil, err
	}
	for port := first; port <= last; port++ {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}

func portOf(a net.Addr) string {
	_, port, _ := net.SplitHostPort(a.String())
	return port
}

type options struct {
	target      string
	rtt, jitter time.Duration
	rate, reset amount
	connections int
}

// amount is a number of bytes as a flag: 20MB, 512kB, 1048576.
type amount int64

// String implements flag.Value.
func (a *amount) String() string { return strconv.FormatInt(int64(*a), 10) }

// Set implements flag.Value.
func (a *amount) Set(text string) error {
	digits, factor := text, int64(1)
	for unit, bytes := range map[string]int64{"kB": 1e3, "MB": 1e6, "GB": 1e9} {
		if d, ok := strings.CutSuffix(text, unit); ok {
			digits, factor = d, bytes
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("%q is no number of bytes; try 20MB", text)
	}
	*a = amount(n * factor)
	return nil
}
