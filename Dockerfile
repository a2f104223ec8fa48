# The local endpoint in a container, with what it keeps in the volume /data.
#   docker build -t rft .
#   docker run --rm -p 127.0.0.1:4599:4599 -v rft:/data rft
FROM python:3.11-slim
WORKDIR /opt/rft
COPY pyproject.toml uv.lock hatch_build.py README.md LICENSE ./
COPY scripts/constraints scripts/constraints
COPY sim sim
COPY configs configs
COPY rewards rewards
RUN python scripts/constraints > constraints.txt
RUN pip install --no-cache-dir --constraint constraints.txt '.[serve]'
RUN useradd --create-home rft && mkdir /data && chown rft /data
USER rft
WORKDIR /data
VOLUME /data
EXPOSE 4599
ENTRYPOINT ["rft"]
CMD ["serve", "--host", "0.0.0.0", "--root", "/data"]
