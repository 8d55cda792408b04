#!/bin/sh
# The movie story by the program's commands, on the wire that is given; for weather.rs, in the network of weather.py.
set -eu
films=$(dirname "$0")/../../examples/movie/clips
by() {
    who=$1
    shift
    "$MOVIE" --server "$wire://10.99.0.1:7878" --lang en --session-file "$FOLDER/$who" "$@"
}
wire=$1
echo pw | by alice register alice --admin
echo pw | by alice login alice --admin
echo pw | by ann register ann
echo pw | by ann login ann
by alice upload "$films/test-card.mp4" --free
by alice upload "$films/mandelbrot.webm" --charge
by alice publish Tonight "Two films are in."
by ann list
by ann download 1 --to "$FOLDER/to"
cmp "$films/test-card.mp4" "$FOLDER/to/test-card.mp4"
by ann buy-vip
by ann download 2 --to "$FOLDER/to"
cmp "$films/mandelbrot.webm" "$FOLDER/to/mandelbrot.webm"
by ann records
by ann notices
by alice delete 1
if by ann download 1 --to "$FOLDER/to"; then exit 1; fi
by ann logout
echo "the story is told"
