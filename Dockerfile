FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/mockbifrost
COPY pyproject.toml README.md LICENSE ./
COPY mockbifrost/ mockbifrost/
RUN /opt/mockbifrost/bin/pip install --no-cache-dir .

FROM python:3.13-slim
ENV PATH=/opt/mockbifrost/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
COPY --from=build /opt/mockbifrost /opt/mockbifrost
COPY scenarios/ /scenarios/
COPY cassettes/ /cassettes/
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/health', timeout=2)"]
ENTRYPOINT ["mockbifrost"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080", "/scenarios", "/cassettes"]
