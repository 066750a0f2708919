-- What wrk posts: as long as what slated sends of a breach.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/cloudevents+json; charset=utf-8"
wrk.body = string.rep("x", tonumber(os.getenv("BENCH_BYTES")))
