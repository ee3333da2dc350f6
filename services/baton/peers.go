package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// peers reaches every service: those of this process in memory, the others
// where the configuration says that they run.
type peers struct {
	own   *grpc.ClientConn
	local []string
	other map[string]*grpc.ClientConn
}

// owners says which service answers which contract, where the names differ.
var owners = map[string]string{"lead": "feedback", "person": "intake", "score": "agreement"}

func (a *App) peers(context.Context) (grpc.ClientConnInterface, error) {
	p := &peers{own: a.conn, local: a.cfg.Services, other: map[string]*grpc.ClientConn{}}
	for _, peer := range a.cfg.Peers {
		name, addr, ok := strings.Cut(peer, "=")
		if !ok || !slices.Contains(allServices, name) {
			return nil, fmt.Errorf("%q does not say where a service runs; write service=host:port", peer)
		}
		conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), a.tel.DialOption())
		if err != nil {
			return nil, fmt.Errorf("peer %s: %w", name, err)
		}
		p.other[name] = conn
		a.undo("peer "+name, func(context.Context) error { return conn.Close() })
	}
	return p, nil
}

// of picks the connection for a method such as /baton.routing.v1.RoutingService/Accept.
func (p *peers) of(method string) (*grpc.ClientConn, error) {
	name, _, _ := strings.Cut(strings.TrimPrefix(method, "/baton."), ".")
	if owner, ok := owners[name]; ok {
		name = owner
	}
	if conn, ok := p.other[name]; ok {
		return conn, nil
	}
	if slices.Contains(p.local, name) {
		return p.own, nil
	}
	return nil, status.Errorf(codes.Unavailable, "the service %s does not run in this process; say where it runs with --peer %s=host:port", name, name)
}

// Invoke implements grpc.ClientConnInterface.
func (p *peers) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	conn, err := p.of(method)
	if err != nil {
		return err
	}
	return conn.Invoke(ctx, method, args, reply, opts...)
}

// NewStream implements grpc.ClientConnInterface.
func (p *peers) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	conn, err := p.of(method)
	if err != nil {
		return nil, err
	}
	return conn.NewStream(ctx, desc, method, opts...)
}
