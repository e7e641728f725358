FROM scratch
ADD root.tar /
COPY authorities /usr/local/share/ca-certificates/extra
RUN update-ca-certificates
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt
CMD ["bash"]
