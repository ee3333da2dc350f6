// Package cache is the one way to Redis: what an address may say, and how long
// anybody waits for an answer.
//
// It promises: nobody waits longer than their context or a few seconds; a
// command may be sent twice when its answer was lost, so callers send only what
// may be done twice; and nothing of a command is logged or traced, since its
// arguments name leads and members.
package cache

import (
	"crypto/tls"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/leadbaton/baton/services/internal/fault"
)

// Client is a connection pool to one Redis: a server, a cluster, or the master
// that sentinels name.
type Client struct {
	redis.UniversalClient
	// Prefix of every key, so that several installations can share a Redis.
	Prefix string
}

// Open reads an address; it connects to nobody yet.
//
//	redis://[user:password@]host:port[,host:port…][/database][?option&…]
//
// rediss:// speaks TLS. More than one host, or cluster=true, means a cluster;
// sentinel=NAME means that the hosts are sentinels of that master; prefix=WORD
// begins every key (baton).
func Open(address string) (*Client, error) {
	opts, prefix, err := parse(address)
	if err != nil {
		return nil, err
	}
	logging.Disable()
	return &Client{redis.NewUniversalClient(opts), prefix}, nil
}

// invalid does not repeat the address: there may be a password in it.
func invalid(what string) error {
	return fault.New(fault.Invalid, "the address of Redis %s; write redis://host:6379, correct --redis (BATON_REDIS_URL)", what)
}

func parse(address string) (*redis.UniversalOptions, string, error) {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok || (scheme != "redis" && scheme != "rediss") {
		return nil, "", invalid("must begin with redis:// or rediss://")
	}
	// The hosts are split off by hand: a list of them is no part of a URL.
	authority, tail := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority, tail = rest[:i], rest[i:]
	}
	user := ""
	if i := strings.LastIndex(authority, "@"); i >= 0 {
		user, authority = authority[:i+1], authority[i+1:]
	}
	u, err := url.Parse(scheme + "://" + user + "host" + tail)
	if err != nil {
		return nil, "", invalid("cannot be read")
	}
	opts := &redis.UniversalOptions{
		// A deadline of the caller holds on the socket as well.
		ContextTimeoutEnabled: true,
		DialTimeout:           2 * time.Second, ReadTimeout: 3 * time.Second, WriteTimeout: 3 * time.Second,
		DialerRetries: 1, MaxRetries: 1,
		Username: u.User.Username(),
	}
	opts.Password, _ = u.User.Password()
	for host := range strings.SplitSeq(authority, ",") {
		if host == "" {
			return nil, "", invalid("names no host")
		}
		if !strings.Contains(host[strings.LastIndex(host, "]")+1:], ":") {
			host += ":6379"
		}
		opts.Addrs = append(opts.Addrs, host)
	}
	if db := strings.Trim(u.Path, "/"); db != "" {
		if opts.DB, err = strconv.Atoi(db); err != nil || opts.DB < 0 {
			return nil, "", invalid("must name its database as a number")
		}
	}
	prefix := "baton"
	for name, values := range u.Query() {
		value := values[len(values)-1]
		switch name {
		case "cluster":
			opts.IsClusterMode = value == "true"
		case "sentinel":
			opts.MasterName = value
		case "prefix":
			if prefix = value; value == "" || strings.ContainsAny(value, "{}") {
				return nil, "", invalid("has a prefix that is empty or holds braces")
			}
		default:
			return nil, "", invalid("has an option that nobody knows; there are cluster, sentinel and prefix")
		}
	}
	if opts.DB != 0 && opts.MasterName == "" && (opts.IsClusterMode || len(opts.Addrs) > 1) {
		return nil, "", invalid("names a database, and a cluster has but one; use prefix= instead")
	}
	if scheme == "rediss" {
		opts.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return opts, prefix, nil
}
