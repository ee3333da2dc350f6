package main

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/leadbaton/baton/proto/example"
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/telemetry"
)

// BenchmarkSubmit compares the ways in which a program may bring leads: each
// waits for the disk. ns/op is the time a lead; the whole program works them
// meanwhile.
func BenchmarkSubmit(b *testing.B) {
	app, err := Start(b.Context(), Config{
		Data: filepath.Join(b.TempDir(), "data"), HTTP: "-", Console: "-", Metrics: "-", GRPC: "127.0.0.1:0", FreeFloor: 1,
		telemetry: telemetry.Config{LogOutput: &logged{}},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = app.Stop(context.WithoutCancel(b.Context())) }()
	conn, err := example.Dial(app.GRPCAddr, app.admin)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	client := intakev1.NewIntakeServiceClient(conn)
	var n atomic.Int64
	next := func() *intakev1.SubmitRequest {
		req := numbered(int(n.Add(1)))
		req.IdempotencyKey = fmt.Sprintf("%s-%d", b.Name(), n.Load())
		return req
	}
	rest := func(b *testing.B) {
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "leads/s")
		b.StopTimer()
		ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
		defer cancel()
		if err := app.Settle(ctx); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("one by one", func(b *testing.B) {
		for b.Loop() {
			if _, err := client.Submit(b.Context(), next()); err != nil {
				b.Fatal(err)
			}
		}
		rest(b)
	})
	b.Run("64 at once", func(b *testing.B) {
		b.SetParallelism(32) // two processors
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := client.Submit(b.Context(), next()); err != nil {
					b.Error(err)
					return
				}
			}
		})
		rest(b)
	})
	b.Run("one stream", func(b *testing.B) {
		stream, err := client.SubmitBatch(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		go sendMany(stream, b.N, next)
		for range b.N {
			if a, err := stream.Recv(); err != nil || a.GetFault() != "" {
				b.Fatal(a, err)
			}
		}
		rest(b)
	})
}

func sendMany(stream grpc.BidiStreamingClient[intakev1.SubmitBatchRequest, intakev1.SubmitBatchResponse], many int, next func() *intakev1.SubmitRequest) {
	for i := range many {
		if stream.Send(&intakev1.SubmitBatchRequest{Index: int64(i), Item: next()}) != nil {
			return
		}
	}
	_ = stream.CloseSend()
}
